"""One long task that saves its state: ``saving.py STEPS EVERY``.

It notes each step that it makes, five milliseconds each, and returns their sum.
"""

from __future__ import annotations

import sys
import time

from noting import note

from scoop_ft import checkpoint, futures


class State:
    """What it saves: a class of its own, with a part that cannot travel."""

    def __init__(self) -> None:
        self.step = 0
        self.total = 0
        self.cache = iter(())

    def __getstate__(self) -> dict[str, int]:
        return {"step": self.step, "total": self.total}


def count(steps: int, every: float) -> int:
    state = checkpoint.load() or State()
    note("begin")
    while state.step < steps:
        note(state.step)
        time.sleep(0.005)
        state.total += state.step
        state.step += 1
        checkpoint.save(state, every=every)
    return state.total


if __name__ == "__main__":
    print(futures.submit(count, int(sys.argv[1]), float(sys.argv[2])).result())
