"""Tasks that leak a megabyte each: ``leaking.py TASKS SECONDS``; prints the sum, and the most
memory.
"""

from __future__ import annotations

import sys
import time

import psutil
from noting import note

from scoop_ft import futures

SECONDS = float(sys.argv[2])
LEAK = 1_000_000
leaked: list[bytes] = []


def square(n: int) -> tuple[int, int]:
    note(n)
    leaked.append(b"x" * LEAK)
    time.sleep(SECONDS)
    return n * n, psutil.Process().memory_info().rss


if __name__ == "__main__":
    results = list(futures.map(square, range(int(sys.argv[1]))))
    print(sum(square for square, _ in results), max(rss for _, rss in results))
