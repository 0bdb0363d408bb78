"""Durable steps in the script and in a task: ``steps.py``.

Each notes that it was made, and gives another value each time; between the last of them and the end
the script waits for a file.
"""

from __future__ import annotations

import json
import os
import time

from noting import note, wait_for_file

from scoop_ft import futures


def now(name: str) -> list[object]:
    note(name)
    return [name, time.time(), os.getpid()]


def double(x: int) -> int:
    return 2 * x


def with_children() -> list[int]:
    note("children")
    return list(futures.map(double, [1, 2, 3]))


def task() -> list[list[object]]:
    mine = [futures.once(now, "in-task") for _ in range(2)]
    wait_for_file("go")
    return mine


if __name__ == "__main__":
    first = futures.once(now, "first")
    many = [futures.once(now, "many") for _ in range(3)]
    children = futures.once(with_children)
    after = list(futures.map(double, [10, 20]))
    print(json.dumps([first, many, children, after, futures.submit(task).result()]))
