"""No-op tasks and tasks that work: started by ``scoop-ft run`` without and with ``--seed``."""

import argparse
import json
import time
from pathlib import Path

from scoop_ft import futures

STEPS = 45_000  # about a millisecond


def nothing(number: int) -> int:
    return number


def work(number: int) -> int:
    return sum(range(STEPS)) + number


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
    for function, count in ((nothing, args.tasks), (work, args.tasks // 50)):
        rate(function, 400)  # every process is up, and past its first, slow tasks
        figures[function.__name__] = rate(function, count)
    args.out.write_text(json.dumps(figures))
