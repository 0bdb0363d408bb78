"""Large arguments and results, once two workers are there: ``far.py CALLS FILE``, of 4 MB each.

It begins when the file is there.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from scoop_ft import futures


def same(array: np.ndarray) -> np.ndarray:
    return array


if __name__ == "__main__":
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    calls = int(sys.argv[1])
    arrays = (np.full(4_000_000 // 8, float(number)) for number in range(calls))
    for number, array in enumerate(futures.map(same, arrays)):
        assert array[0] == number
    print("done")
