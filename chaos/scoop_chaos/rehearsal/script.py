"""One run of the user's script, where the user is: started, watched, killed by real signals.

What it prints goes to files of the round's folder.  Nothing is decided here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import scoop_ft
from scoop_ft.rundir import Live, LiveProcess, RunDir

from ..faults import Fault
from ..runs import LIMIT_S, RunProcess
from .plan import Strike

LOOK_S = 0.01


class Script(RunProcess):
    """A run of a user's script.

    Parameters
    ----------
    folder : Path
        Where what it prints is kept; made here.
    directory : RunDir
        Its run directory.
    options : sequence of str
        For each command.
    """

    def __init__(self, folder: Path, directory: RunDir, options: Sequence[str]) -> None:
        super().__init__(folder)
        self._options = options
        folder.mkdir(exist_ok=True)
        self.directory = directory
        self._run_dir = [os.fspath(directory.path)]
        self._killed: set[int] = set()
        self._starts = [0]  # where in all its output the script was started

    def _popen(self, number: int, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with (
            open(self.folder / f"stdout.{number}", "wb") as out,
            open(self.folder / f"stderr.{number}", "wb") as err,
        ):
            return subprocess.Popen(
                [sys.executable, *safe_path(), "-m", "scoop_ft", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def go_on(self) -> None:
        """Type ``scoop-ft resume``."""
        self.resume("--keep-results", *self._options)  # what departs is told, not asked about

    # ---- looking --------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Has the command ended?"""
        return self._commands[-1].poll() is not None

    @property
    def printed(self) -> bytes:
        """All that was printed, over all commands."""
        return b"".join(self._written("stdout"))

    @property
    def complaints(self) -> bytes:
        """All that was written to standard error, over all commands."""
        return b"".join(self._written("stderr"))

    @property
    def last_printed(self) -> bytes:
        """What was printed since the script's last start that printed anything."""
        printed = self.printed
        parts = [printed[start:] for start in self._starts]
        return next((part for part in reversed(parts) if part), b"")

    def _written(self, stream: str) -> Iterator[bytes]:
        for number in range(1, len(self._commands) + 1):
            yield (self.folder / f"{stream}.{number}").read_bytes()

    # ---- killing --------------------------------------------------------------------------------

    def strike(self, what: Strike) -> bool:
        """Kill whom a strike names, once there is one not killed yet; False: the run has ended."""
        while not self.ended:
            victims = self._victims(what)
            if victims:
                self._kill(victims)
                if what.fault in (Fault.EVERYTHING_KILL, Fault.ROOT_KILL):
                    self._starts.append(len(self.printed))
                if what.fault is Fault.EVERYTHING_KILL:
                    self._commands[-1].wait(LIMIT_S)
                    self.go_on()
                return True
            time.sleep(LOOK_S)
        return False

    def _victims(self, what: Strike) -> list[LiveProcess]:
        live = self._live()
        if live is None:
            return []
        workers = [worker for worker in live.workers if worker.pid not in self._killed]
        found: list[LiveProcess | None] = []
        if what.fault is Fault.WORKER_KILL:
            found += workers[int(what.draw * len(workers)) :][:1]
        elif what.fault is Fault.BROKER_KILL:
            found += [live.broker]
        elif what.fault is Fault.ROOT_KILL:
            found += [live.root]
        else:
            found += [live.launcher, live.root, live.broker, *workers]
        return [one for one in found if one is not None and one.pid not in self._killed]

    def _kill(self, victims: Collection[LiveProcess]) -> None:
        pids = [victim.pid for victim in victims]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # the launcher's death takes them along
                os.kill(pid, signal.SIGKILL)
        self._killed.update(pids)
        self.wait_gone(pids)

    def _live(self) -> Live | None:
        live = self.directory.live()
        # A launcher that was killed has left its own behind.
        return live if live is not None and live.launcher.pid == self._commands[-1].pid else None


def safe_path() -> list[str]:
    """Return options of Python that keep what lies in the user's folder out, where it can."""
    from_source = Path(scoop_ft.__file__).parents[1] == Path.cwd()
    return ["-P"] if sys.version_info >= (3, 11) and not from_source else []
