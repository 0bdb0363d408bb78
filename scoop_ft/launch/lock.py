"""One launcher at a time: the lock of a run, and a look at it."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import IO

from ..errors import RunError
from ..rundir import RunDir

_ours: set[Path] = set()  # run directories whose lock this process holds


class RunLock:
    """``launcher.lock``, held by a launcher for its life; the kernel releases it at its death.

    A broker without a launcher holds it, too: who resumes a run takes its address and journal.
    """

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._file: IO[bytes] | None = None

    def acquire(self, patience_s: float = 0.3) -> None:
        """Take the lock, or say who holds it.

        A look at the lock (`is_locked`) holds it for microseconds, hence the patience.
        """
        deadline = time.monotonic() + patience_s
        try:
            file = open(self._run.lock, "ab", opener=_private_opener)  # noqa: SIM115
        except OSError as error:
            raise RunError(
                f"the run directory {self._run.path} cannot be written to: {error.strerror}"
            ) from error
        while not self._try(file):
            if time.monotonic() > deadline:
                file.close()
                raise RunError(self._held())
            time.sleep(0.01)
        self._file = file
        _ours.add(self._run.path)

    def _try(self, file: IO[bytes]) -> bool:
        try:
            return _try_lock(file, exclusive=True)
        except OSError as error:
            file.close()
            raise _no_locks(self._run, error) from error

    def _held(self) -> str:
        """Say who holds the lock, and what can be done."""
        if self._run.path in _ours:
            return (
                f"the run in {self._run.path} is open in this program already: go on with that "
                "Executor or Pool, or shut it down first"
            )
        live = self._run.live()
        if live is not None and live.by_hand:
            pid, called = live.launcher.pid, shlex.quote(self._run.called)
            return (
                f"a broker without a launcher serves the run in {self._run.path} (process {pid} on "
                f"{live.host}): add workers with 'scoop-ft worker {called}', or end it first "
                f"('kill {pid}')"
            )
        holder = f" (launcher {live.launcher.pid} on {live.host})" if live else ""
        return (
            f"the run in {self._run.path} is running already{holder}: wait for its end, or stop "
            "it first"
        )

    def keep_through_exec(self) -> None:
        """Hold the lock, too, as the program that takes this one's place in the process."""
        if self._file is not None:
            os.set_inheritable(self._file.fileno(), True)

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
            _ours.discard(self._run.path)


def is_locked(run: RunDir) -> bool:
    """Tell whether a launcher lives for this run."""
    try:
        file = open(run.lock, "rb")  # noqa: SIM115
    except OSError:
        return False
    with file:
        try:
            return not _try_lock(file, exclusive=False)
        except OSError as error:
            raise _no_locks(run, error) from error


def _no_locks(run: RunDir, error: OSError) -> RunError:
    """Say what it means where the system can lock no file: nobody can tell who else is there."""
    return RunError(
        f"files in {run.path} cannot be locked ({error.strerror}): put the run on a local disk, "
        "such as a folder in $TMPDIR"
    )


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _try_lock(file: IO[bytes], *, exclusive: bool) -> bool:
    """Lock an open file without waiting; closing it unlocks."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
