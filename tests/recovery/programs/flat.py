"""Squares, summed: ``flat.py TASKS SECONDS``."""

from __future__ import annotations

import sys
import time

from noting import note

from scoop_ft import futures

SECONDS = float(sys.argv[2])


def square(n: int) -> int:
    note(n)
    time.sleep(SECONDS)
    return n * n


if __name__ == "__main__":
    note("before")
    print(sum(futures.map(square, range(int(sys.argv[1])))))
