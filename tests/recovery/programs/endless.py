"""The first squares of endlessly many: ``endless.py TASKS BUFFER SECONDS map|map_as_completed``."""

from __future__ import annotations

import itertools
import sys
import time

from noting import note

from scoop_ft import futures

SECONDS = float(sys.argv[3])


def square(n: int) -> int:
    note(n)
    time.sleep(SECONDS)
    return n * n


def other(n: int) -> int:
    note(f"other-{n}")
    return 0


if __name__ == "__main__":
    mapping = getattr(futures, sys.argv[4])
    results = mapping(square, itertools.count(), buffersize=int(sys.argv[2]))
    total = 0
    for result in itertools.islice(results, int(sys.argv[1])):
        total += result
        # Another call between those of the map: its place must be the same when it is run again.
        if result % 10 == 0 and sys.argv[4] == "map":
            total += futures.submit(other, result).result()
    print(total)
