"""A script whose results are random; the calls after them depend on them, and on nothing else."""

import os
import time

from scoop_ft import futures


def measure(channel: int) -> int:
    time.sleep(0.02)
    return int.from_bytes(os.urandom(4), "little")


def refine(channel: int, value: int) -> int:
    time.sleep(0.02)
    return channel


if __name__ == "__main__":
    values = list(futures.map(measure, range(30)))
    print(sum(futures.map(refine, range(30), values)))
