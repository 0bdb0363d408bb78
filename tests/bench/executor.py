"""``python -m tests.bench.executor``: what it costs to submit calls one by one.

20,000 calls that do nothing, each submitted by itself and its result asked for: `Executor`, with a
synced journal in the temporary directory, `futures.submit` on the same executor's workers, and
`concurrent.futures.ProcessPoolExecutor`, which keeps nothing.  In turn in each round, two workers
each; the medians of the rounds, and processor time of all processes, which other work on the
machine disturbs less.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import operator
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from scoop_ft import Executor, futures

nothing = operator.index
CALLS = 20_000
ROUNDS = 7


def processor_s(pids: set[int]) -> float:
    """Return the processor time that processes have had."""
    times = [psutil.Process(pid).cpu_times() for pid in pids if psutil.pid_exists(pid)]
    return sum(t.user + t.system for t in times)


def measure(submit: Callable[..., Any], pids: set[int]) -> tuple[float, float]:
    """Return the wall and the processor time of the calls."""
    before, began = processor_s(pids), time.perf_counter()
    waiting = [submit(nothing, n) for n in range(CALLS)]
    assert sum(future.result() for future in waiting) == CALLS * (CALLS - 1) // 2
    return time.perf_counter() - began, processor_s(pids) - before


def alone(submit: Callable[..., Any]) -> float:
    """Return the median time of one call whose result is waited for."""
    found = []
    for n in range(300):
        began = time.perf_counter()
        submit(nothing, n).result()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def family(known: set[int]) -> set[int]:
    """Return this process and those it has started since."""
    return {p.pid for p in psutil.Process().children(recursive=True)} - known | {os.getpid()}


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder, Executor(2, run_dir=Path(folder, "r")) as ours:
        list(ours.map(nothing, range(1_000)))
        our_pids = family(set())
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as theirs:
            list(theirs.map(nothing, range(1_000)))
            their_pids = family(our_pids - {os.getpid()})
            systems = {
                "Executor": (ours.submit, our_pids),
                "futures.submit": (futures.submit, our_pids),
                "ProcessPoolExecutor": (theirs.submit, their_pids),
            }
            seen: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
            for _ in range(ROUNDS):
                for name, (submit, pids) in systems.items():
                    seen[name].append(measure(submit, pids))
            for name, (submit, _) in systems.items():
                wall = statistics.median(w for w, _ in seen[name])
                used = statistics.median(c for _, c in seen[name])
                print(
                    f"{name:20} {CALLS / wall:9,.0f} calls/s   "
                    f"{used / CALLS * 1e6:6.1f} µs of processor a call   "
                    f"one call alone {alone(submit) * 1e3:.2f} ms"
                )


if __name__ == "__main__":
    main()
