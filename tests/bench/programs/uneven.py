"""A map on workers of which some are slow: they take the named number of times as long.

What a task does is sleep, so that machines can be had that this one is not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path

from scoop_ft import futures, options

TIMES = float(os.environ.get("NAP_TIMES", "1"))  # of this process


def nap(seconds: float) -> None:
    """Work for so long, on a worker that is as fast as it should be."""
    time.sleep(seconds * TIMES)


def naps(tasks: int, seconds: float, sigma: float) -> list[float]:
    """Return how long tasks take: as they come, about ``seconds``."""
    draw = random.Random(1)
    if not sigma:
        return [seconds] * tasks
    return [min(draw.lognormvariate(0, sigma), 10) * seconds for _ in range(tasks)]


def _wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)


def main() -> None:
    """Map when all workers are there; write what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--sigma", type=float, default=0.0)
    parser.add_argument("--no-copies", action="store_true")
    args = parser.parse_args()
    work = options(nap, repeatable=False) if args.no_copies else nap
    todo = naps(args.tasks, args.seconds, args.sigma)
    _wait_for(args.folder / "go")
    began = time.perf_counter()
    list(futures.map(work, todo))
    figures = {"took": time.perf_counter() - began, "work": sum(todo)}
    (args.folder / "figures.json").write_text(json.dumps(figures))
    _wait_for(args.folder / "end")


if __name__ == "__main__":
    main()
