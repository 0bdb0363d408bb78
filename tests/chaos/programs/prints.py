"""A script that prints the time; its calls and results are always the same."""

import time

from scoop_ft import futures


def square(x: int) -> int:
    time.sleep(0.02)
    return x * x


if __name__ == "__main__":
    began = time.time()
    print(sum(futures.map(square, range(40))))
    print(f"began at {began}")
