"""Tasks that take a known time, sleeping or computing: a plain loop, or a map of two workers.

``ideal.py KIND WHAT``: prints the seconds that it took, and those spent within tasks.  Without a
run (``K --bare``) it is the loop of one of two processes, which has every second task.
"""

import random
import sys
import time

SIZES = {"1 ms": 2000, "10 ms": 200, "mixed": 800}


def durations(kind: str) -> list[float]:
    """Return how long each task takes, in seconds."""
    if kind != "mixed":
        return [int(kind.split()[0]) / 1000] * SIZES[kind]
    draw = random.Random(1)
    return [min(max(draw.lognormvariate(-5.8, 1.5), 1e-4), 0.1) for _ in range(SIZES[kind])]


def sleep(seconds: float) -> float:
    """Need no core; return how long it took."""
    began = time.perf_counter()
    time.sleep(seconds)
    return time.perf_counter() - began


def compute(seconds: float) -> float:
    """Need a core; return how long it took."""
    began = time.perf_counter()
    end = began + seconds
    while (now := time.perf_counter()) < end:
        pass
    return now - began


def main() -> None:
    bare, (kind, what) = "--bare" in sys.argv, sys.argv[-2:]
    task, tasks = {"sleep": sleep, "compute": compute}[what], durations(kind)
    if bare:
        mine = tasks[int(sys.argv[1]) :: 2]
        began = time.perf_counter()
        within = [task(seconds) for seconds in mine]
    else:
        from scoop_ft import futures

        list(futures.map(task, [1e-4, 1e-4]))  # every process is up, the function is known
        began = time.perf_counter()
        within = list(futures.map(task, tasks))
    print(time.perf_counter() - began, sum(within))


if __name__ == "__main__":
    main()
