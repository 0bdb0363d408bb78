"""A task that kills its worker among others that do not: ``poison.py TASKS POISON``."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from noting import note

from scoop_ft import futures
from scoop_ft.errors import TaskLost

POISON = int(sys.argv[2])


def swallow(n: int) -> int:
    note(n)
    if n == POISON:
        print(f"swallowing {n}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(0.001)
    return n * n


if __name__ == "__main__":
    calls = [futures.submit(swallow, n) for n in range(int(sys.argv[1]))]
    results: list[int | None] = []
    for call in calls:
        try:
            results.append(call.result())
        except TaskLost as error:
            results.append(None)
            details = error.details
            text = str(error)
    print(json.dumps({"results": results, "details": details, "text": text}))
