"""``keyed.py LIMIT``: arguments that never pickle alike, known by their names."""

from __future__ import annotations

import os
import sys

from noting import note

from scoop_ft import futures, options


class Thing:
    def __init__(self, name: str) -> None:
        self.name = name
        self.address = os.urandom(8)


@options(key=lambda thing: thing.name)
def work(thing: Thing) -> str:
    note(thing.name)
    return thing.name.upper()


def plain(n: int) -> int:
    note(f"plain{n}")
    return n + 1


if __name__ == "__main__":
    limited = options(plain, time_limit=float(sys.argv[1]), priority=int(float(sys.argv[1])))
    names = ["a", "b", "c"] if sys.argv[1] == "50" else ["c", "a", "b", "d"]
    print(*futures.map(work, map(Thing, names)), *futures.map(limited, range(3)))
    sys.exit(0 if len(names) == 4 else 3)
