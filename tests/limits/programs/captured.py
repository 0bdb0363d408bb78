"""Generations whose function has captured the state so far: ``captured.py GENERATIONS``.

Prints how many tasks there were.
"""

from __future__ import annotations

import sys

from scoop_ft import checkpoint, futures

CALLS = 4
NUMBERS = 20_000  # some 180 kB


def main(generations: int) -> None:
    """Run so many generations, those before the last checkpoint included."""
    now = checkpoint.load(0)
    assert now is not None
    while now < generations:
        state = [float(now + number) for number in range(NUMBERS)]

        def step(number: int, state: list[float] = state) -> float:
            return state[number]

        assert list(futures.map(step, range(CALLS))) == state[:CALLS]
        now += 1
        checkpoint.save(now, every=0)
    checkpoint.save(now, wait=True)
    print(generations * CALLS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
