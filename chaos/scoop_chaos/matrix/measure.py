"""The whole matrix in one run: each death for all systems in turn, each within its own limit.

Decides the order, the sizes and the limits; what a case is, `case` knows.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil

from ..faults import Fault
from .case import run_case
from .judge import Cell
from .stage import Size
from .systems import System, versions

UNDISTURBED = "undisturbed"
HEALTHY = "one healthy 8 s task"
DEATHS = (
    Fault.WORKER_KILL,
    Fault.WORKER_STAYS_STOPPED,
    Fault.BROKER_KILL,
    Fault.ROOT_KILL,
    Fault.EVERYTHING_KILL,
)
HEALTHY_SIZE = Size(tasks=2, seconds="8,0.05", after=0)  # a long one beside a short one
WORKERS = 2

Matrix = dict[str, dict[str, Cell]]


def limit_after(undisturbed: float | None, size: Size) -> float:
    """Return after how many seconds a case is said to hang."""
    longest = sum(map(float, size.seconds.split(","))) * size.tasks / WORKERS
    return 4 * (longest if undisturbed is None else undisturbed) + 30


class Measurement:
    """One run of the matrix.

    Parameters
    ----------
    systems : sequence of System
        Which, in the table's order.
    size : Size
        The work of all rows but the last.
    python : str
        The interpreter of peers.
    limit : float or None
        Overrides the limits.
    say : callable
        Gets a line of text before each case.
    """

    def __init__(
        self,
        systems: Sequence[System],
        size: Size,
        python: str = sys.executable,
        limit: float | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.systems = systems
        self.size = size
        self.python = python
        self.limit = limit
        self.rows: Matrix = {}
        self._say = say

    def run(self) -> Matrix:
        """Measure all rows, undisturbed first and last; return them, by row and system."""
        self._row(UNDISTURBED, None, self.size)
        first = self.rows[UNDISTURBED]
        for death in DEATHS:
            self._row(death.value, death, self.size)
        self._row(HEALTHY, None, HEALTHY_SIZE)
        last = Measurement(self.systems, self.size, self.python, self.limit, self._say)
        last._row(UNDISTURBED, None, self.size)
        self.rows[UNDISTURBED] = {
            name: _mean(cell, last.rows[UNDISTURBED][name]) for name, cell in first.items()
        }
        return self.rows

    def _row(self, name: str, fault: Fault | None, size: Size) -> None:
        row = self.rows[name] = {}
        for system in self.systems:
            self._say(f"{name}: {system.title}")
            row[system.name] = self._case(system, fault, size)
            self._say(f"    {_short(row[system.name])}")

    def _case(self, system: System, fault: Fault | None, size: Size) -> Cell:
        limit = limit_after(self._undisturbed(system) if fault else None, size)
        folder = Path(tempfile.mkdtemp(prefix="chaos-"))  # short, for sockets
        try:
            return run_case(system, fault, size, self.limit or limit, folder, self.python)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _undisturbed(self, system: System) -> float | None:
        cell = self.rows[UNDISTURBED].get(system.name)
        return cell.seconds if cell is not None else None

    def report(self) -> dict[str, Any]:
        """Return everything that was found, for JSON."""
        return {
            "date": time.strftime("%Y-%m-%d %H:%M"),
            "machine": {
                "system": platform.platform(),
                "cores": psutil.cpu_count(),
                "python": platform.python_version(),
                "load": os.getloadavg(),
            },
            "size": self.size._asdict(),
            "workers": WORKERS,
            "versions": self._versions(),
            "notes": {system.title: system.note for system in self.systems},
            "rows": {
                row: {name: asdict(cell) for name, cell in cells.items()}
                for row, cells in self.rows.items()
            },
        }

    def _versions(self) -> dict[str, str]:
        found = {}
        for system in self.systems:
            have = versions(system.interpreter(self.python), [system.package])
            found[system.title] = have.get(system.package, "?")
        return found


def split(systems: Sequence[System], python: str) -> tuple[list[System], list[System]]:
    """Return the systems that are installed, and those that are not."""
    have = versions(python, sorted({system.package for system in systems}))
    there = [system for system in systems if system.ours or system.package in have]
    return there, [system for system in systems if system not in there]


def _mean(first: Cell, last: Cell) -> Cell:
    """Return the first cell with the mean of both times: a busy machine is not equally busy."""
    if first.seconds is None or last.seconds is None:
        return last if first.seconds is not None else first  # the one that is not right
    return replace(first, seconds=(first.seconds + last.seconds) / 2)


def _short(cell: Cell) -> str:
    seconds = "" if cell.seconds is None else f", {cell.seconds:.1f} s"
    text = f": {cell.text}" if cell.text else ""
    return f"{cell.outcome.value}{seconds}, {cell.starts} executions{text}"
