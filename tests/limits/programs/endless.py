"""A script that submits faster than can be run: ``endless.py CALLS``, of 1 MB each."""

from __future__ import annotations

import sys
import time

import numpy as np

from scoop_ft import futures


def slow(array: np.ndarray) -> float:
    time.sleep(0.05)
    return float(array[0])


if __name__ == "__main__":
    array = np.zeros(1_000_000 // 8)
    for number in range(int(sys.argv[1])):
        array[0] = number
        future = futures.submit(slow, array)
        if not number:
            first = future
    assert first.result() == 0
    print("submitted")
