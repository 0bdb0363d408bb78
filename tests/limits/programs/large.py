"""Large arguments and results: one of 100 MB, and many of 1 MB."""

from __future__ import annotations

import sys

import numpy as np
import peaks

from scoop_ft import futures

MB = 1 << 20


def same(value: object) -> object:
    return value


def summed(array: np.ndarray) -> float:
    return float(array.sum())


def made(k: int) -> np.ndarray:
    return np.full(MB // 8, float(k))


if __name__ == "__main__":
    what, megabytes = sys.argv[1], 100
    if what == "array":
        array = np.arange(megabytes * MB // 8, dtype=float)
        arrived = futures.submit(same, array).result()
        assert np.array_equal(arrived, array)
    elif what == "bytes":
        text = bytes(range(256)) * (megabytes * MB // 256)
        assert futures.submit(same, text).result() == text
    else:
        count = 300
        total = MB // 8 * count * (count - 1) / 2
        assert sum(futures.map(summed, map(made, range(count)))) == total
        assert sum(float(array.sum()) for array in futures.map(made, range(count))) == total
    peaks.report()
