"""A script that takes no results while they come: ``slow_consumer.py CALLS FOLDER``, of 1 MB each.

It takes the rest when all calls have run, which it sees from the files they make.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from scoop_ft import futures


def made(number: int) -> np.ndarray:
    open(os.path.join(sys.argv[2], str(number)), "w").close()
    return np.full(1_000_000 // 8, float(number))


if __name__ == "__main__":
    calls = int(sys.argv[1])
    results = futures.map(made, range(calls))
    assert next(results)[0] == 0
    while len(os.listdir(sys.argv[2])) < calls:
        time.sleep(0.01)
    for number, array in enumerate(results, 1):
        assert array[0] == number
    assert number == calls - 1
    print("taken")
