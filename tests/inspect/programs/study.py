"""Eight tasks of the script's own, two of which fail, and a parent that fails with children."""

from __future__ import annotations

import os
import signal
import sys

import lab

from scoop_ft import futures


def scale(x: float, *, by: float = 2) -> float:
    """An ordinary task."""
    return x * by


def build(size: int) -> lab.Model:
    """A result that is no JSON."""
    if size == 0:
        raise lab.Stuck("no size\nin two lines")
    return lab.Model(size)


def total(count: int) -> float:
    """A parent."""
    return sum(futures.map(scale, range(count)))


def collapse(count: int) -> float:
    """A parent that fails when its children are there."""
    raise ValueError(f"{total(count)} is not enough")


def kill() -> None:
    """A task that kills its worker."""
    os.kill(os.getpid(), signal.SIGKILL)


def array(size: int) -> object:
    """A large result."""
    import numpy as np

    return np.arange(size, dtype=float)


if __name__ == "__main__":
    calls = [
        futures.submit(scale, 1.5, by=3),
        futures.submit(build, 4),
        futures.submit(build, 0),
        futures.submit(total, 5),
        futures.submit(collapse, 3),
        futures.submit(lambda a, *rest: {a: list(rest)}, "x", 1, None),
        futures.submit(array, 20_000),
        futures.submit(kill),
    ]
    futures.wait(calls)
    for call in calls:
        print(type(call.exception()).__name__, flush=True)
    sys.exit(3)
