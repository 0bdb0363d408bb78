"""Short tasks, one of which waits for a file: ``blocked.py TASKS BLOCKED``.

Results are printed as a list; a task that was lost is a null there, and the exit code is 1.  Before
its tasks the script waits for the file ``begin``.
"""

from __future__ import annotations

import json
import sys
import time

from noting import note, wait_for_file

from scoop_ft import futures
from scoop_ft.errors import TaskLost

BLOCKED = int(sys.argv[2])


def step(n: int) -> int:
    note(n)
    if n == BLOCKED:
        wait_for_file("go")
    time.sleep(0.001)
    return n * n


def outcome(call: futures.Future) -> int | None:
    try:
        return call.result()
    except TaskLost:
        return None


if __name__ == "__main__":
    wait_for_file("begin")
    calls = [futures.submit(step, n) for n in range(int(sys.argv[1]))]
    results = [outcome(call) for call in calls]
    print(json.dumps(results))
    sys.exit(None in results)
