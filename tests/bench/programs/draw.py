"""What tasks cost that draw random numbers: started by ``scoop-ft run`` [``--seed 7``]."""

import argparse
import json
import random
import time
from pathlib import Path

import scoop_ft
from scoop_ft import futures


def nothing(number: int) -> int:
    return number


def shared(number: int) -> float:
    return random.random()


def own(number: int) -> float:
    return scoop_ft.rng().random()


def own_numpy(number: int) -> float:
    return scoop_ft.numpy_rng().random()


def nothing_after_numpy(number: int) -> int:
    import numpy  # noqa: F401

    return number


def rate(function: object, count: int) -> float:
    """Return tasks/s of a map."""
    began = time.perf_counter()
    assert len(list(futures.map(function, range(count)))) == count  # type: ignore[arg-type]
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    args = parser.parse_args()
    figures = {}
    # In this order: once numpy is imported, --seed seeds its generator, too.
    for function in (nothing, shared, own, nothing_after_numpy, own_numpy):
        rate(function, 400)  # every process is up, and past its first, slow tasks
        figures[function.__name__] = rate(function, args.tasks)
    args.out.write_text(json.dumps(figures))
