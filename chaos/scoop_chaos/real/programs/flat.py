"""Squares, summed: ``flat.py TASKS SECONDS``."""

from __future__ import annotations

import sys
import time

from scoop_chaos.real.noting import noted, write
from scoop_ft import futures

SECONDS = float(sys.argv[-1])


@noted
def square(n: int) -> int:
    time.sleep(SECONDS)
    return n * n


if __name__ == "__main__":
    write("S", "root:")
    print(sum(futures.map(square, range(int(sys.argv[1])))))
