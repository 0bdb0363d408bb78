"""Tasks among which some never end by themselves: ``stuck.py TASKS``, until there is a file ``go``.

One waits for a process that it has started, one holds the GIL in C.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time

from noting import note

from scoop_ft import futures


def step(n: int) -> int:
    note(n)
    if not os.path.exists("go"):
        if n == 0:
            subprocess.run(["sleep", "600"], check=True)
        if n == 1:
            ctypes.PyDLL(None).sleep(600)
    time.sleep(0.01)
    return n * n


if __name__ == "__main__":
    note("before")
    print(sum(futures.map(step, range(int(sys.argv[1])))))
