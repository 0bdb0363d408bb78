"""Many seeds, on several cores: which of them break an invariant, and how fast they go.

Each process runs a stride of seeds and reports now and then.  Decides nothing about a world.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .plan import draw
from .world import Outcome, run

REPORT_S = 0.5


@dataclass
class Report:
    """What has been run so far.

    Attributes
    ----------
    seeds, events : int
    broken : list of Outcome
        The worlds in which something did not hold.
    faults : Counter
        Strikes by kind.
    cpu_seconds : float
        What it took, over all processes.
    """

    seeds: int = 0
    events: int = 0
    broken: list[Outcome] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0

    def add(self, other: Report) -> None:
        """Take in what another has run."""
        self.seeds += other.seeds
        self.events += other.events
        self.broken += other.broken
        self.faults += other.faults
        self.cpu_seconds += other.cpu_seconds


def reports(first: int, count: int, jobs: int = 1) -> Iterator[Report]:
    """Run ``count`` seeds from ``first`` on; yield what is new, now and then.

    Parameters
    ----------
    first, count : int
    jobs : int
        Processes; with one, all happens in this one.
    """
    if jobs == 1:
        yield from _stretch(first, first + count, 1)
        return
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(first + k, first + count, jobs, queue), daemon=True)
        for k in range(jobs)
    ]
    for worker in workers:
        worker.start()
    left = jobs
    while left:
        found: Report | None = queue.get()
        if found is None:
            left -= 1
        else:
            yield found
    for worker in workers:
        worker.join()


def _work(first: int, stop: int, step: int, queue: multiprocessing.queues.SimpleQueue) -> None:  # type: ignore[type-arg]
    parent = multiprocessing.parent_process()
    try:
        for found in _stretch(first, stop, step):
            if parent is not None and not parent.is_alive():
                return  # killed: nobody wants to know
            queue.put(found)
    finally:
        queue.put(None)


def _stretch(first: int, stop: int, step: int) -> Iterator[Report]:
    report = Report()
    began, cpu = time.monotonic(), time.process_time()
    for seed in range(first, stop, step):
        plan = draw(seed)
        outcome = run(plan)
        report.seeds += 1
        report.events += outcome.events
        report.faults.update(outcome.struck)
        if outcome.violations:
            report.broken.append(outcome)
        if time.monotonic() - began > REPORT_S:
            report.cpu_seconds = time.process_time() - cpu
            yield report
            report = Report()
            began, cpu = time.monotonic(), time.process_time()
    report.cpu_seconds = time.process_time() - cpu
    yield report
