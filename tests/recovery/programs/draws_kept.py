"""Random numbers beside durable steps and checkpoints: ``draws_kept.py ROUNDS SECONDS``."""

from __future__ import annotations

import random
import sys
import time

import numpy as np
from noting import note

import scoop_ft
from scoop_ft import checkpoint, futures

ROUNDS, SECONDS = int(sys.argv[1]), float(sys.argv[2])


def draw() -> list[float]:
    """One number of each kind."""
    shared = [random.gauss(0, 1), float(np.random.standard_normal())]
    return [scoop_ft.rng().random(), float(scoop_ft.numpy_rng().random()), *shared]


def work(name: str) -> list[list[float]]:
    """Draw in rounds, some of them in durable steps, and save after each."""
    found: list[list[float]] = [futures.once(draw), draw()]
    found = checkpoint.load(found) or []
    while len(found) < ROUNDS:
        note(f"{name}.{len(found)}")
        time.sleep(SECONDS)
        found.append(futures.once(draw) if len(found) % 3 == 0 else draw())
        checkpoint.save(found, every=0, wait=True)
    return found


if __name__ == "__main__":
    tasks = [futures.submit(work, f"task{n}") for n in range(2)]
    print(work("script"))
    print([task.result() for task in tasks])
