"""Tasks that raise, by themselves and in their parents: ``failing.py PARENTS CHILDREN SECONDS``."""

from __future__ import annotations

import sys
import time

from scoop_chaos.real.noting import noted, write
from scoop_ft import futures

CHILDREN, SECONDS = int(sys.argv[2]), float(sys.argv[-1])


class Refused(Exception):
    """What the tasks raise."""


@noted
def child(p: int, c: int) -> int:
    time.sleep(SECONDS)
    if (p + c) % 5 == 0:
        raise Refused(p, c)
    return 100 * p + c


def outcome(future: futures.Future) -> object:
    error = future.exception()
    return future.result() if error is None else f"{type(error).__name__}{error.args}"


@noted
def parent(p: int) -> list[object]:
    found = [outcome(f) for f in [futures.submit(child, p, c) for c in range(CHILDREN)]]
    if p % 4 == 3:
        raise Refused(p, len(found))
    return found


if __name__ == "__main__":
    write("S", "root:")
    calls = [futures.submit(parent, p) for p in range(int(sys.argv[1]))]
    print([outcome(call) for call in calls])
