"""A run to kill, and the programs to run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import LIMIT_S, RunProcess

from scoop_ft.rundir import Live, LiveProcess, RunDir, find_runs

from .ledger import POLL_S, Ledger

PROGRAMS = Path(__file__).parent / "programs"


class Run(RunProcess):
    """A run whose pids are read from its directory: faster than asking for its status.

    Attributes
    ----------
    ledger : Ledger
        What its programs note.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ledger = Ledger(folder)

    def program(self, name: str, *args: object, options: Collection[object] = ()) -> Run:
        """Start a program of ours, quietly, with two workers unless the options say otherwise."""
        words = ["-q", "-n", 2, *options, PROGRAMS / f"{name}.py", *args]
        self.start(*map(str, words))
        return self

    @property
    def directory(self) -> RunDir:
        """The run directory."""
        return RunDir(self._run_dir[0]) if self._run_dir else find_runs(self.folder)[-1]

    def _live(self) -> Live | None:
        try:
            live = self.directory.live()
        except IndexError:  # it has not been made yet
            return None
        # A launcher that was killed has left its own behind.
        return live if live is not None and live.launcher.pid == self._commands[-1].pid else None

    def pid(self, name: str, but: Collection[int] = (), limit: float = LIMIT_S) -> int:
        """Wait until there is a process of this name that is none of those; return its pid."""
        deadline = time.monotonic() + limit
        while True:
            live = self._live()
            found = [process.pid for process in _of(live, name) if process.pid not in but]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"no new {name} within {limit} s{self._told()}"
            time.sleep(POLL_S)

    def workers(self, count: int) -> list[int]:
        """Wait until there are so many workers; return their pids."""
        found: list[int] = []
        while len(found) < count:
            found.append(self.pid("worker", but=found))
        return found

    def strike(self, name: str, but: Collection[int] = ()) -> int:
        """Kill one process of this name that is none of those; return its pid."""
        victim = self.pid(name, but)
        signal_it(victim, signal.SIGKILL)
        return victim

    def strike_everything(self) -> None:
        """Kill all processes of the run at once; return when they are gone."""
        live = self._live()
        assert live is not None, f"nobody there{self._told()}"
        victims = [
            p.pid for name in ("launcher", "root", "broker", "worker") for p in _of(live, name)
        ]
        for victim in victims:
            signal_it(victim, signal.SIGKILL)
        self._commands[-1].wait(LIMIT_S)
        self.wait_gone(victims)

    def touch(self, name: str) -> None:
        """Make an empty file, for a program that waits for it."""
        (self.folder / name).touch()

    def send(self, number: int) -> None:
        """Send a signal to the launcher."""
        self._commands[-1].send_signal(number)


def _of(live: Live | None, name: str) -> list[LiveProcess]:
    if live is None:
        return []
    if name == "worker":
        return live.workers
    process = getattr(live, name)
    return [] if process is None else [process]


def signal_it(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@pytest.fixture
def run(tmp_path: Path, nothing_left: None) -> Iterator[Run]:
    """A run in the test's folder, not started yet."""
    one = Run(tmp_path)
    yield one
    one.end()
