"""Tasks that submit tasks, three levels of them, in all ways: ``tree.py FAN SECONDS``."""

from __future__ import annotations

import sys
import time

from scoop_chaos.real.noting import noted, write
from scoop_ft import futures

FAN, SECONDS = int(sys.argv[1]), float(sys.argv[-1])


@noted
def leaf(a: int, b: int, c: int) -> int:
    time.sleep(SECONDS)
    return a * 10_000 + b * 100 + c


@noted
def middle(a: int, b: int) -> int:
    if b % 3 == 0:
        return sum(futures.map(leaf, [a] * FAN, [b] * FAN, range(FAN)))
    if b % 3 == 1:
        return sum(futures.map_as_completed(leaf, [a] * FAN, [b] * FAN, range(FAN)))
    first = futures.submit(leaf, a, b, 0)
    others = [futures.submit(leaf, a, b, c) for c in range(1, FAN)]
    return int(first.result() + sum(future.result() for future in futures.as_completed(others)))


@noted
def top(a: int) -> list[int]:
    if a % 2:
        return list(futures.map(middle, [a] * FAN, range(FAN)))
    return [f.result() for f in [futures.submit(middle, a, b) for b in range(FAN)]]


if __name__ == "__main__":
    write("S", "root:")
    early = futures.submit(top, 0)
    rest = list(futures.map(top, range(1, FAN)))
    print([early.result(), *rest])
