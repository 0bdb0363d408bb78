"""A task whose child kills its worker as soon as it is run; others with harmless children."""

from __future__ import annotations

import json
import os
import signal

from noting import note

from scoop_ft import futures
from scoop_ft.errors import TaskLost


def child(n: int) -> int:
    if n == 3:
        note("poison")
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def parent(n: int) -> str:
    try:
        return str(futures.submit(child, n).result())
    except TaskLost as lost:
        return f"lost after {lost.details['attempts']}"


if __name__ == "__main__":
    print(json.dumps(list(futures.map(parent, range(6)))))
