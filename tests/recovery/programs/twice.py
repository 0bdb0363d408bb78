"""Two rounds of tasks, with a pause until there is a file ``go``: ``twice.py TASKS SECONDS``."""

from __future__ import annotations

import sys
import time

from noting import note, wait_for_file

from scoop_ft import futures

SECONDS = float(sys.argv[2])


def square(part: str, n: int) -> int:
    note(f"{part}{n}")
    time.sleep(SECONDS)
    return n * n


if __name__ == "__main__":
    tasks = int(sys.argv[1])
    first = sum(futures.map(square, ["a"] * tasks, range(tasks)))
    note("between")
    wait_for_file("go")
    print(first, sum(futures.map(square, ["b"] * tasks, range(tasks))))
