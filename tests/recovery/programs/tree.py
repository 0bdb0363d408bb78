"""Tasks that submit tasks, three levels of them, mixed: ``tree.py FAN SECONDS``."""

from __future__ import annotations

import sys
import time

from noting import note

from scoop_ft import futures

FAN, SECONDS = int(sys.argv[1]), float(sys.argv[2])


def leaf(a: int, b: int, c: int) -> int:
    note(f"{a}.{b}.{c}")
    time.sleep(SECONDS)
    return a * 10_000 + b * 100 + c


def middle(a: int, b: int) -> int:
    note(f"{a}.{b}")
    if b % 2:
        return sum(futures.map(leaf, [a] * FAN, [b] * FAN, range(FAN)))
    first = futures.submit(leaf, a, b, 0)
    others = [futures.submit(leaf, a, b, c) for c in range(1, FAN)]
    return first.result() + sum(future.result() for future in futures.as_completed(others))


def top(a: int) -> list[int]:
    note(f"{a}")
    if a % 2:
        return list(futures.map(middle, [a] * FAN, range(FAN)))
    return [f.result() for f in [futures.submit(middle, a, b) for b in range(FAN)]]


if __name__ == "__main__":
    note("before")
    early = futures.submit(top, 0)
    rest = list(futures.map(top, range(1, FAN)))
    print([early.result(), *rest])
