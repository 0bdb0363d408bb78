"""What `tests.bench.growth` measures, started by ``scoop-ft run``: RUN_DIR KIND SIZE TASKS OUT.

Of all processes of the run, the processor time between beginning and end of the work is counted,
once everything is up and every function is known.  Results are checked.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy

from scoop_ft import futures
from scoop_ft.rundir import RunDir

LEAST_S = 1.0  # small work is repeated for so long at least, and the median counts


def noop(number: int) -> int:
    return number


def back(array: numpy.ndarray) -> numpy.ndarray:
    return array


def down(depth: int) -> int:
    """Return how many tasks are below this one, one below the other."""
    return 0 if depth == 0 else 1 + futures.submit(down, depth - 1).result()


def of_tasks(size: int, tasks: int) -> None:
    for number, result in enumerate(futures.map(noop, range(tasks))):
        assert number == result


def of_payload(size: int, tasks: int) -> None:
    array = numpy.arange(size, dtype=numpy.uint8)
    for result in futures.map(back, [array] * tasks):
        assert result.nbytes == size


def of_depth(size: int, tasks: int) -> None:
    for depth in futures.map(down, [size - 1] * (tasks // size)):
        assert depth == size - 1


WORK: dict[str, Callable[[int, int], None]] = {
    "tasks": of_tasks, "workers": of_tasks, "payload": of_payload, "depth": of_depth
}  # fmt: skip


def cpu_s(pids: list[int]) -> float:
    """Return the processor time that all threads of these processes have had."""
    paths = [path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in paths) * 1e-9


def main() -> None:
    run_dir, kind, size, tasks, out = sys.argv[1:]
    work = WORK[kind]
    wanted = int(size) if kind == "workers" else 2
    list(futures.map(noop, range(1000)))
    list(futures.map(back, [numpy.zeros(10)] * 10))
    assert futures.submit(down, 2).result() == 2
    live = RunDir(run_dir).live()
    while live is None or live.broker is None or len(live.workers) < wanted:
        time.sleep(0.1)
        live = RunDir(run_dir).live()
    time.sleep(1.0 + 0.05 * wanted)  # until all are up, and this is nobody's work any more
    pids = [os.getpid(), live.launcher.pid, live.broker.pid, *(w.pid for w in live.workers)]
    found = []
    began = time.monotonic()
    while not found or time.monotonic() - began < LEAST_S:
        before = cpu_s(pids)
        work(int(size), int(tasks))
        found.append((cpu_s(pids) - before) / int(tasks) * 1e6)
    Path(out).write_text(json.dumps(statistics.median(found)))


if __name__ == "__main__":
    main()
