"""A script that is safe to resume: its calls and their results follow from its arguments.

steady.py [TASKS] [SECONDS]
"""

import sys
import time

from scoop_ft import futures


def square(x: int, pause: float) -> int:
    time.sleep(pause)
    return x * x


def squares(first: int, pause: float) -> int:
    return sum(futures.map(square, range(first, first + 5), [pause] * 5))


if __name__ == "__main__":
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
    print("begins")
    print(sum(futures.map(square, range(tasks), [pause] * tasks)))
    print(list(futures.map(squares, [0, 5], [pause] * 2)))
