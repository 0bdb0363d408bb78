"""A run to strike at, and the workers that join it from the other host.

Knows pids as the run's own files give them, and never signals a process that is not the run's:
each pid is checked against the moment at which its process was made.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from scoop_ft.launch.processes import exists, lives
from scoop_ft.rundir import Live, LiveProcess, RunDir

from ..runs import RunProcess
from .noting import PLACE

AWAY = "away"
_COPIES = re.compile(r"second copies .*: (\d+), now (\d+)")


class Victim(RunProcess):
    """A run in a folder.

    Attributes
    ----------
    directory : RunDir
        Where it is.
    """

    def __init__(self, folder: Path, run_dir: Path, prefix: Sequence[str] = ()) -> None:
        super().__init__(folder, prefix=prefix)
        self.directory = RunDir(run_dir)

    # ---- looking --------------------------------------------------------------------------------

    @property
    def launcher(self) -> subprocess.Popen[bytes]:
        """The last command."""
        return self._commands[-1]

    def live(self) -> Live | None:
        """Return the processes of the run; None before the launcher has written them down."""
        live = self.directory.live()
        # A launcher that was killed has left its own behind.
        return live if live is not None and live.launcher.pid == self.launcher.pid else None

    def workers(self) -> list[int]:
        """Return the pids of the workers here that live."""
        live = self.live()
        return [] if live is None else [w.pid for w in live.workers if is_there(w)]

    def living(self) -> list[str]:
        """Return what processes here live, with their pids."""
        found = [f"{name} {self.pid(name)}" for name in ("root", "broker") if self.pid(name)]
        return found + [f"worker {pid}" for pid in self.workers()]

    def pid(self, name: str) -> int | None:
        """Return the pid of the root or the broker, if it lives."""
        live = self.live()
        process: LiveProcess | None = None if live is None else getattr(live, name)
        return process.pid if process is not None and is_there(process) else None

    def copies(self) -> int:
        """Return how many second copies of tasks its brokers have told of."""
        log = self.directory.log("broker")
        text = log.read_text(errors="replace") if log.exists() else ""
        return sum(int(now) - int(before) for before, now in _COPIES.findall(text))

    def outputs(self) -> list[str]:
        """Return what each command so far wrote to its standard output."""
        numbers = range(1, len(self._commands) + 1)
        return [(self.folder / f"stdout.{number}").read_text() for number in numbers]


class Away:
    """``scoop-ft worker`` on the other host, started again when it ends.

    Attributes
    ----------
    not_before : float
        When it may be started again.
    """

    def __init__(
        self, folder: Path, prefix: Sequence[str], command: Sequence[str], workers: int
    ) -> None:
        self._folder = folder
        self._command = [*prefix, *command, "-n", str(workers)]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "away.log"
        self.not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The agent's pid, if it lives."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process is not None else None

    def tick(self) -> None:
        """Start it, if it does not run."""
        if self.pid is None and time.monotonic() >= self.not_before:
            environment = {**os.environ, PLACE: AWAY, "TMPDIR": str(self._folder)}
            with open(self._log, "ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def workers(self) -> list[int]:
        """Return the pids of its workers."""
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.pid is not None:
                found = [child.pid for child in psutil.Process(self.pid).children()]
        return [pid for pid in found if exists(pid)]

    def end(self) -> None:
        """Kill it; its workers die with it."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()


def is_there(process: LiveProcess) -> bool:
    """Tell whether it is still that process."""
    return lives(process.pid, process.created)
