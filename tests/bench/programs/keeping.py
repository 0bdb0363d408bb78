"""What checkpoints and durable steps cost their task: ``keeping.py OUT`` writes figures as JSON.

Beside each stands the least that the machine could do: a copy of the same memory, a write of the
same bytes to the same disk, a task that is submitted and awaited.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from scoop_ft import checkpoint, futures

SIZES = {"1 MB": 1_000_000, "100 MB": 100_000_000}


def timed(call: Callable[[], Any], rounds: int) -> float:
    """Return the median seconds of a call."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def write(data: memoryview) -> None:
    """Write to a new file, and sync it."""
    with tempfile.TemporaryFile(dir=".") as file:
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())


def save_when_synced(state: Any) -> float:
    """Save, wait until it is synced; return for how long the caller was stopped by the saving."""
    began = time.perf_counter()
    while not checkpoint.save(state, every=0):
        time.sleep(0.002)  # the one before is on its way
        began = time.perf_counter()
    return time.perf_counter() - began


def states(size: int, rounds: int) -> dict[str, float]:
    """Measure checkpoints of an array of so many bytes."""
    array = np.random.default_rng(1).integers(0, 255, size, np.uint8)
    checkpoint.load()
    checkpoint.save(array, wait=True)
    return {
        "save": statistics.median(save_when_synced(array) for _ in range(rounds)),
        "copy": timed(lambda: bytes(array.data), rounds),
        "save, wait": timed(lambda: checkpoint.save(array, wait=True), rounds),
        "write, sync": timed(lambda: write(array.data), rounds),
        "load": timed(checkpoint.load, rounds),
    }


def nothing() -> None:
    """Do nothing."""


def main() -> None:
    found: dict[str, Any] = {}
    for name, size in SIZES.items():
        rounds = 15 if size < 10_000_000 else 5
        found[name] = futures.submit(states, size, rounds).result()
    futures.once(nothing)
    found["once"] = timed(lambda: futures.once(nothing), 100)
    found["submit"] = timed(lambda: futures.submit(nothing).result(), 100)
    found["sync"] = timed(lambda: write(memoryview(b"x" * 100)), 100)
    with open(sys.argv[1], "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
