"""Random numbers, drawn by tasks before, while and after they wait: ``draws.py HOW TASKS SECONDS``.

HOW is ``own`` (what `scoop_ft` gives each task), ``shared`` (the global generators) or ``both``.
"""

from __future__ import annotations

import random
import sys
import time

from noting import note

import scoop_ft
from scoop_ft import futures

HOW, TASKS, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


def draw() -> list[float]:
    """One number of each kind.  (Some tasks are the first of their process to import numpy.)"""
    import numpy as np

    found = []
    if HOW != "shared":
        found += [scoop_ft.rng().random(), float(scoop_ft.numpy_rng().random())]
    if HOW != "own":
        found += [random.gauss(0, 1), float(np.random.standard_normal())]
    return found


def leaf(parent: int, n: int) -> list[float]:
    note(f"{parent}.{n}")
    time.sleep(SECONDS)
    return draw()


def node(n: int) -> list[list[float]]:
    note(n)
    found = [draw()]
    first = futures.submit(leaf, n, 0)
    found += [draw(), first.result(), draw()]
    found += futures.map(leaf, [n] * 2, range(1, 3))
    return [*found, draw()]


if __name__ == "__main__":
    note("before")
    print(draw())
    for found in futures.map(node, range(TASKS)):
        print(found)
    print(draw())
