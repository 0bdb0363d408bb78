"""Squares, summed: ``flat.py TASKS SECONDS [FILE]``.  With a file, the end waits until it exists."""

from __future__ import annotations

import sys
import time

from noting import note, wait_for_file
from scoop_ft import futures

SECONDS = float(sys.argv[2])


def square(n: int) -> int:
    note(n)
    time.sleep(SECONDS)
    return n * n


if __name__ == "__main__":
    note("before")
    total = sum(futures.map(square, range(int(sys.argv[1]))))
    if len(sys.argv) > 3:
        wait_for_file(sys.argv[3])
    print(total)
