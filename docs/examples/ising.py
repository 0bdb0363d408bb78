"""Magnetisation of a two-dimensional Ising model, temperature by temperature.

Shows checkpoints inside tasks: each call simulates for minutes and saves its state now and then, so
that a machine that goes away costs seconds.  The random generator belongs to the task: it is saved
and goes on with it, so the answer is the same whatever died.  Needs numpy.

    scoop-ft run docs/examples/ising.py
    scoop-ft run docs/examples/ising.py --size 256 --sweeps 20000
"""

import argparse

import numpy as np

import scoop_ft
from scoop_ft import checkpoint, futures


def magnetisation(temperature: float, size: int, sweeps: int, every: float) -> float:
    """Return the mean magnetisation per spin over the second half of the sweeps."""
    state = checkpoint.load({"sweep": 0, "sum": 0.0, "spins": np.ones((size, size), np.int8)})
    draw = scoop_ft.numpy_rng()
    spins = state["spins"]
    black = np.indices(spins.shape).sum(0) % 2 == 0
    while state["sweep"] < sweeps:
        for colour in (black, ~black):
            around = sum(np.roll(spins, shift, axis) for shift in (1, -1) for axis in (0, 1))
            flip = draw.random(spins.shape) < np.exp(-2.0 / temperature * spins * around)
            spins[colour & flip] *= -1
        if state["sweep"] >= sweeps // 2:
            state["sum"] += abs(float(spins.mean()))
        state["sweep"] += 1
        checkpoint.save(state, every=every)
    return state["sum"] / (sweeps - sweeps // 2)


def main() -> None:
    parser = argparse.ArgumentParser(description="Magnetisation of the 2D Ising model.")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--sweeps", type=int, default=4000)
    parser.add_argument("--temperatures", type=int, default=8)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between checkpoints")
    args = parser.parse_args()

    temperatures = [float(t) for t in np.linspace(1.5, 3.5, args.temperatures)]
    settings = [[setting] * len(temperatures) for setting in (args.size, args.sweeps, args.every)]
    found = list(futures.map(magnetisation, temperatures, *settings))
    for temperature, value in zip(temperatures, found, strict=True):
        print(f"T = {temperature:.2f}: |m| = {value:.4f}")


if __name__ == "__main__":
    main()
