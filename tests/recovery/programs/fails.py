"""A script that fails after its tasks unless there is a file ``go``: ``fails.py TASKS``."""

from __future__ import annotations

import os
import sys

from noting import note

from scoop_ft import futures


def square(n: int) -> int:
    note(n)
    if n == 7 and not os.path.exists("go"):
        raise ValueError("seven is not for now")
    return n * n


if __name__ == "__main__":
    note("before")
    calls = [futures.submit(square, n) for n in range(int(sys.argv[1]))]
    futures.wait(calls)
    print(sum(call.result() for call in calls))
