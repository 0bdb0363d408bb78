"""Parents with children, then a second round: ``parent.py PARENTS CHILDREN SECONDS``."""

from __future__ import annotations

import sys
import time

from noting import note, wait_for_file

from scoop_ft import futures

CHILDREN, SECONDS = int(sys.argv[2]), float(sys.argv[3])


def child(part: str, p: int, c: int) -> int:
    note(f"{part}{p}.{c}")
    time.sleep(SECONDS)
    return 100 * p + c


def parent(part: str, p: int) -> int:
    note(f"{part}{p}")
    return sum(futures.map(child, [part] * CHILDREN, [p] * CHILDREN, range(CHILDREN)))


if __name__ == "__main__":
    parents = int(sys.argv[1])
    first = list(futures.map(parent, ["a"] * parents, range(parents)))
    note("between")
    wait_for_file("go")
    print(first + list(futures.map(parent, ["b"] * parents, range(parents))))
