"""Tasks that submit tasks; with the word ``random``, with arguments that nobody can repeat."""

import os
import sys
import time

from scoop_ft import futures


def leaf(value: int) -> int:
    time.sleep(0.02)
    return value % 2**31


def branch(number: int, how: str) -> int:
    values = [number * 100 + k for k in range(8)]
    if how == "random":
        values = [int.from_bytes(os.urandom(4), "little") for _ in values]
    return sum(len(str(value)) > 0 for value in futures.map(leaf, values))


if __name__ == "__main__":
    how = sys.argv[1] if len(sys.argv) > 1 else "fixed"
    print(list(futures.map(branch, range(8), [how] * 8)))
