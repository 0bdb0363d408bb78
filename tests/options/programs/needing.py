"""Tasks that need a resource, tasks that do not, and tasks with priorities."""

from __future__ import annotations

import os

from noting import note, wait_for

from scoop_ft import futures, options


def who(name: str) -> int:
    note(name)
    return os.getpid()


def first(n: int) -> None:
    note("first")
    wait_for("go")


if __name__ == "__main__":
    blocker = futures.submit(first, 0)
    low = futures.submit(options(who, priority=-1), "low")
    normal = futures.submit(who, "normal")
    high = futures.submit(options(who, priority=1), "high")
    needing = list(futures.map(options(who, resources={"gpu": 1}), ["g1", "g2", "g3"]))
    for future in (blocker, low, normal, high):
        future.result()
    print(len(set(needing)), high.result() in needing)
