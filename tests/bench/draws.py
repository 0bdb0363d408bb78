"""``python -m tests.bench.draws [--rounds N]``: what random numbers cost a task.

First the CPU time of a worker's tasks, in this process, where what else the machine does matters
least; then whole runs without and with ``--seed``, in turn.
"""

from __future__ import annotations

import argparse
import json
import operator
import pickle
import random
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import scoop_ft
from scoop_ft.client.connection import Connection
from scoop_ft.client.link import Link
from scoop_ft.client.runtime import install
from scoop_ft.client.scopes import define
from scoop_ft.slate import Slate
from scoop_ft.wire import messages as wire
from scoop_ft.worker.runner import Crew, Runner
from scoop_ft.worker.runtime import WorkerRuntime
from scoop_ft.worker.session import WorkerSession

PROGRAM = Path(__file__).parent / "programs" / "draw.py"
TASKS = 100_000
TASKS_HERE = 5_000
GOES = 5
LIMIT_S = 600.0
MODES: dict[str, tuple[str, ...]] = {"without --seed": (), "with --seed": ("--seed", "7")}
TITLES = {"nothing": "no-op tasks", "work": "tasks of about a millisecond"}


def draw(number: int) -> float:
    return random.random()


def draw_own(number: int) -> float:
    return scoop_ft.rng().random()


def draw_own_numpy(number: int) -> float:
    return float(scoop_ft.numpy_rng().random())


# ---- a worker's tasks, here ---------------------------------------------------------------------


class Worker:
    """A worker whose broker is not there."""

    def __init__(self, folder: str) -> None:
        self.session = WorkerSession(bytes(8), "host", b"")
        connection = Connection(lambda: f"ipc://{folder}/nobody", lambda: None)
        link = Link(self.session, connection, lambda: None)
        self._crew = Crew(self.session, link, Slate.create(Path(folder, "slate")))
        link.pump = lambda seconds=0.0: None  # type: ignore[method-assign]
        install(WorkerRuntime(self.session, link, self._crew))

    def microseconds(self, function: Callable[[int], Any]) -> float:
        """Return the CPU time of one task of a function, the least of several goes."""
        definition = define(function)
        parts = [pickle.dumps((number,)) for number in range(TASKS_HERE)]
        ends = array("I", accumulate(map(len, parts))).tobytes()
        run = wire.Run(bytes(16), 0, len(parts), bytes(16), 0, [definition.digest], b"", ends, 0,
                       [], [])  # fmt: skip
        name = wire.Function(definition.digest, definition.name)
        self.session.on_message(name, [definition.blob])
        return min(self._go(run, b"".join(parts)) for _ in range(GOES)) / TASKS_HERE * 1e6

    def _go(self, run: wire.Run, payload: bytes) -> float:
        self.session.on_message(run, [payload])
        began = time.process_time()
        while len(self.session.queue):
            Runner(self._crew).switch()
        took = time.process_time() - began
        assert sum(len(span.done) for span in self.session._finished.values()) == TASKS_HERE
        self.session._finished.clear()
        return took


def here() -> None:
    """Time a worker's tasks in this process."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as folder:
        worker = Worker(folder)
        rows = [("does nothing", worker.microseconds(operator.neg))]
        rows.append(("scoop_ft.rng().random()", worker.microseconds(draw_own)))
        worker.session.seeded = True
        rows.append(("random.random(), with --seed", worker.microseconds(draw)))
        import numpy.random  # noqa: F401

        rows.append(("the same, numpy.random is imported", worker.microseconds(draw)))
        worker.session.seeded = False
        worker = Worker(tempfile.mkdtemp(dir=folder))
        rows.append(("scoop_ft.numpy_rng().random()", worker.microseconds(draw_own_numpy)))
    print("CPU time of a worker for a task that …")
    for title, took in rows:
        more = took - rows[0][1]
        print(f"    {title:34}{took:8.1f} µs   {more:+8.1f} µs   x {took / rows[0][1]:.1f}")


# ---- whole runs ---------------------------------------------------------------------------------


def run_once(options: tuple[str, ...]) -> dict[str, float]:
    """Run the program; return tasks/s of each kind."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
        out = Path(name) / "figures.json"
        words = ["-m", "scoop_ft", "run", "-q", "-n", "2", "--run-dir", f"{name}/run", *options]
        subprocess.run(
            [sys.executable, *words, str(PROGRAM), "--out", str(out), "--tasks", str(TASKS)],
            cwd=name, check=True, timeout=LIMIT_S,
        )  # fmt: skip
        figures: dict[str, float] = json.loads(out.read_text())
        return figures


def whole(rounds: int) -> None:
    """Run it all, in turn."""
    taken: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode, options in MODES.items():
            taken[mode].append(run_once(options))
    print(f"{'tasks/s on 2 workers (median)':38}" + "".join(f"{mode:>16}" for mode in MODES))
    for key, title in TITLES.items():
        medians = [statistics.median(one[key] for one in taken[mode]) for mode in MODES]
        ratio = medians[1] / medians[0]
        print(f"    {title:34}" + "".join(f"{one:16,.0f}" for one in medians) + f"   x {ratio:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.draws", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    here()
    whole(args.rounds)


if __name__ == "__main__":
    main()
