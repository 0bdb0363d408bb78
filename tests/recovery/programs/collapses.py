"""A parent that fails, unless there is a file ``go``, as soon as its last child has ended."""

from __future__ import annotations

import os

from noting import note

from scoop_ft import futures


def child(n: int) -> int:
    note(f"child{n}")
    return n


def parent() -> int:
    note("parent")
    total = sum(futures.map(child, range(3)))
    if not os.path.exists("go"):
        raise ValueError("not now")
    return total


if __name__ == "__main__":
    print(futures.submit(parent).result())
