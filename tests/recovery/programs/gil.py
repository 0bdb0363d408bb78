"""A task that holds the GIL in C: ``gil.py SECONDS TASKS``, with short ones beside it."""

from __future__ import annotations

import ctypes
import json
import sys
import threading
import time

from noting import note

from scoop_ft import futures


def hold(seconds: int) -> tuple[float, float]:
    """Return for how long the GIL was held, and the longest pause of another thread."""
    note("hold")
    beats: list[float] = []
    over = threading.Event()

    def beat() -> None:
        while not over.is_set():
            beats.append(time.monotonic())
            time.sleep(0.01)

    thread = threading.Thread(target=beat)
    thread.start()
    began = time.monotonic()
    left = seconds
    while left:
        left = ctypes.PyDLL(None).sleep(left)  # a PyDLL's functions keep the GIL
    held = time.monotonic() - began
    over.set()
    thread.join()
    pauses = [b - a for a, b in zip(beats, [*beats[1:], began + held], strict=True)]
    return held, max(pauses)


def square(n: int) -> int:
    note(n)
    time.sleep(0.03)
    return n * n


if __name__ == "__main__":
    holder = futures.submit(hold, int(sys.argv[1]))
    squares = list(futures.map(square, range(int(sys.argv[2]))))
    print(json.dumps({"squares": squares, "held": holder.result()}))
