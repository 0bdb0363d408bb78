"""Maps in turn, without a buffer and with some: ``buffered.py CALLS ROUNDS SECONDS``.

Prints a line for each: the round, the buffer (0: none), calls a second.
"""

from __future__ import annotations

import sys
import time

from scoop_ft import futures

BUFFERS = (0, 10_000, 1_000, 100)
SECONDS = float(sys.argv[3])


def noop(x: int) -> int:
    if SECONDS:
        time.sleep(SECONDS)
    return x


if __name__ == "__main__":
    calls = int(sys.argv[1])
    sum(futures.map(noop, range(calls // 10)))
    for turn in range(int(sys.argv[2])):
        for size in BUFFERS:
            began = time.perf_counter()
            total = sum(futures.map(noop, range(calls), buffersize=size or None))
            print(turn, size, calls / (time.perf_counter() - began), flush=True)
            assert total == calls * (calls - 1) // 2
