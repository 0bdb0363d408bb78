"""Tasks one of which fails until there is a file ``go``: ``caught.py TASKS``.

The script catches that, and prints how many have not failed.
"""

from __future__ import annotations

import os
import sys

from noting import note

from scoop_ft import futures


def work(n: int) -> int:
    note(n)
    if n == 3 and not os.path.exists("go"):
        raise ValueError("three is not for now")
    return n


if __name__ == "__main__":
    calls = [futures.submit(work, n) for n in range(int(sys.argv[1]))]
    print(sum(call.exception() is None for call in calls))
