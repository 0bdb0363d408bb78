"""Ends as it is told to, with tasks that nobody waited for."""

from __future__ import annotations

import sys

from scoop_ft import futures


def work(k: int) -> int:
    return k


def fails() -> None:
    raise ValueError("in the task")


if __name__ == "__main__":
    forgotten = [futures.submit(fails) for _ in range(5)] + [futures.submit(work, 1)]
    assert futures.submit(work, 2).result() == 2
    how = sys.argv[1]
    if how == "exception":
        raise LookupError("of the script")
    if how == "task":
        futures.submit(fails).result()
    if how == "unpicklable":
        futures.submit(work, (k for k in "abc"))
    if how == "text":
        sys.exit("in words")
    print("ok", flush=True)
    sys.exit(int(how))
