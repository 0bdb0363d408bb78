"""Arrays of 1 MB through a map and back: ``arrays.py COUNT OUT`` writes `timing.Figures`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import timing

from scoop_ft import futures

SIZE = 1_000_000


def same(array: np.ndarray) -> np.ndarray:
    """Send it back."""
    return array


def arrays(count: int) -> Iterator[np.ndarray]:
    """Yield so many arrays, each another one, that cost nothing to make."""
    array = np.random.default_rng(1).random(SIZE // 8)
    for number in range(count):
        array[0] = number
        yield array


def main(count: int) -> timing.Figures:
    """Send so many arrays there and back."""
    for _ in futures.map(same, arrays(20)):  # all are up, and past their first, slow tasks
        pass
    launcher = psutil.Process().parent()
    assert launcher is not None
    with timing.Timing(2 * count * SIZE, launcher.children()) as timed:
        for number, array in enumerate(futures.map(same, arrays(count))):
            assert array[0] == number
            assert array.nbytes == SIZE
    return timed.figures


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(int(sys.argv[1]))))
