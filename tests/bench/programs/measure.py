"""What is measured, the same for every system: a system is a `map` and a `submit`.

Each figure is taken once; the caller repeats the whole program.  Results are checked, so that no
system is fast by not doing the work.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Map = Callable[..., Iterable[Any]]
Submit = Callable[..., Any]

WORKERS = 2
BUSY_S = 0.001


def noop(number: int) -> int:
    return number


def busy(number: int) -> int:
    """Work for a millisecond, by the clock."""
    end = time.perf_counter() + BUSY_S
    while time.perf_counter() < end:
        pass
    return number


def arguments() -> argparse.Namespace:
    """Read the command line that every program has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--map", type=int, required=True, help="tasks of the no-op map")
    parser.add_argument("--submit", type=int, required=True, help="tasks of submit")
    parser.add_argument("--latency", type=int, required=True, help="tasks one after the other")
    parser.add_argument("--fib", type=int, required=True, help="fib(N), each call a task; 0: not")
    parser.add_argument("--busy", type=int, required=True, help="tasks of a millisecond")
    return parser.parse_args()


def measure(
    args: argparse.Namespace, map_: Map, submit: Submit, fib: Callable[[int], int] | None = None
) -> None:
    """Take all figures and write them to ``--out``."""
    _warm_up(map_, submit)
    figures: dict[str, float] = {
        "map": _map(map_, args.map),
        "submit": _submit(submit, args.submit),
        "latency": _latency(submit, args.latency),
        "efficiency": _efficiency(map_, args.busy),
    }
    if fib is not None and args.fib:
        figures["nested"] = _nested(submit, fib, args.fib)
    args.out.write_text(json.dumps(figures))


def _warm_up(map_: Map, submit: Submit) -> None:
    """Get every process up and every function known, and past its first, slow tasks."""
    for function in (busy, noop):
        assert list(map_(function, range(400))) == list(range(400))
    assert submit(noop, 7).result() == 7


def _map(map_: Map, count: int) -> float:
    """Return tasks/s of a map of a function that does nothing."""
    began = time.perf_counter()
    results = list(map_(noop, range(count)))
    took = time.perf_counter() - began
    assert results == list(range(count))
    return count / took


def _submit(submit: Submit, count: int) -> float:
    """Return tasks/s when all are submitted one by one, then asked for one by one."""
    began = time.perf_counter()
    futures = [submit(noop, number) for number in range(count)]
    results = [future.result() for future in futures]
    took = time.perf_counter() - began
    assert results == list(range(count))
    return count / took


def _latency(submit: Submit, count: int) -> float:
    """Return the median time in µs from submit to result of one task when nothing else runs."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        assert submit(noop, number).result() == number
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def _efficiency(map_: Map, count: int) -> float:
    """Return the ideal time of busy tasks on the workers over the time they took, in percent."""
    began = time.perf_counter()
    assert sum(map_(busy, range(count))) == count * (count - 1) // 2
    took = time.perf_counter() - began
    return 100 * (count * BUSY_S / WORKERS) / took


def _nested(submit: Submit, fib: Callable[[int], int], number: int) -> float:
    """Return tasks/s of a tree in which each task submits two and waits for them."""
    began = time.perf_counter()
    result = submit(fib, number).result()
    took = time.perf_counter() - began
    a, b = 0, 1
    for _ in range(number):
        a, b = b, a + b
    assert result == a
    return (2 * b - 1) / took
