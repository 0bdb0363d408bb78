"""Products of matrices, in tasks: ``matmul.py TASKS SIZE``; prints tasks a second."""

from __future__ import annotations

import sys
import time

from scoop_ft import futures

SIZE = int(sys.argv[2])


def product(seed: int) -> float:
    import numpy

    generator = numpy.random.default_rng(seed)
    a = generator.random((SIZE, SIZE))
    for _ in range(10):
        a = a @ a
        a /= a.max()
    return float(a[0, 0])


if __name__ == "__main__":
    tasks = int(sys.argv[1])
    list(futures.map(product, range(4)))
    began = time.perf_counter()
    list(futures.map(product, range(tasks)))
    print(tasks / (time.perf_counter() - began))
