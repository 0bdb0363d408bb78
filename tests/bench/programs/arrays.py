"""Arrays of 1 MB through a map and back: ``arrays.py COUNT OUT`` writes bytes a second, as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

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


def main(count: int) -> float:
    """Return the bytes a second that went there and back."""
    for _ in futures.map(same, arrays(20)):  # all are up, and past their first, slow tasks
        pass
    began = time.perf_counter()
    for number, array in enumerate(futures.map(same, arrays(count))):
        assert array[0] == number
        assert array.nbytes == SIZE
    return 2 * count * SIZE / (time.perf_counter() - began)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(int(sys.argv[1]))))
