"""A task that ends its worker with exit code 0: ``exits_well.py exit|exec|sigterm``."""

from __future__ import annotations

import os
import signal
import sys
import time

from noting import note

from scoop_ft import futures
from scoop_ft.errors import TaskLost

HOW = sys.argv[1]


def leave(n: int) -> int:
    note(n)
    if n == 3 and HOW == "exit":
        os._exit(0)
    elif n == 3 and HOW == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    elif n == 3:
        os.execv(sys.executable, [sys.executable, "-c", ""])
    return n


if __name__ == "__main__":
    found = list(futures.map(leave, range(6), on_error="collect"))
    print([str(n) if not isinstance(n, TaskLost) else n.details["how"] for n in found])
