"""Tasks that submit tasks with arguments that nobody can repeat."""

import os
import time

from scoop_ft import futures


def leaf(value: int) -> int:
    time.sleep(0.02)
    return value


def branch(number: int) -> int:
    values = [int.from_bytes(os.urandom(4), "little") for _ in range(30)]
    return len(list(futures.map(leaf, values)))


if __name__ == "__main__":
    print(list(futures.map(branch, range(2))))
