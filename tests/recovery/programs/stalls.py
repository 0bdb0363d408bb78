"""Squares, one of which takes for ever where it is tried first: ``stalls.py TASKS``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from noting import note

from scoop_ft import futures

TASKS = int(sys.argv[1])
STALLS = TASKS - 3


def square(n: int) -> int:
    note(n)
    first = Path("first")
    if n == STALLS and not first.exists():
        first.touch()
        time.sleep(3600)
    time.sleep(0.1)
    return n * n


if __name__ == "__main__":
    print(sum(futures.map(square, range(TASKS))))
