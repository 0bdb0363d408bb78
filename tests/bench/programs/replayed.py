"""A script that is run again on what it has recorded: ``replayed.py TASKS ORDER OUT``.

Each time it fails at its end, so that it can be resumed; OUT gets tasks/s of this time.  ORDER is
``same``, or ``other``: one of its own each time, in single calls.
"""

from __future__ import annotations

import json
import random
import sys
import time

from scoop_ft import futures


def noop(number: int) -> int:
    return number


if __name__ == "__main__":
    tasks, order, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    assert futures.submit(noop, -1).result() == -1  # everything is up
    numbers = list(range(tasks))
    if order == "other":
        random.Random(time.time_ns()).shuffle(numbers)
    began = time.perf_counter()
    if order == "same":
        results = list(futures.map(noop, numbers))
    else:
        results = [call.result() for call in [futures.submit(noop, n) for n in numbers]]
    took = time.perf_counter() - began
    assert results == numbers
    with open(out, "w") as file:
        json.dump(tasks / took, file)
    sys.exit(1)
