"""The folder of an agent that has none of the run: temporary, and with the run's key in it.

It goes when the agent ends, whatever ends it: nothing that asks to end interrupts its removal.
After SIGKILL, the next agent of the same user on the machine removes it.  Who lives holds a lock on
a file in its own; that of a dead agent the kernel has released.  The folders bear their machine's
name: where it shares them with others, these may not see its locks.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import glob
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import RunError
from ..rundir import AGENT_LOCK, RunDir

PREFIX: Final = "scoop-ft-worker-"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_ENDING: Final = tuple(  # Windows has no SIGHUP
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextlib.contextmanager
def temporary_home() -> Iterator[RunDir]:
    """Make a folder, and remove it at the end (main thread only).

    Signals that ask to end are exceptions meanwhile, the first of them only.
    """
    handlers = ((number, signal.getsignal(number)) for number in _ENDING)
    former = {number: one for number, one in handlers if one not in (signal.SIG_IGN, None)}
    _remove_those_of_the_dead()
    home = _make()
    remove = functools.partial(shutil.rmtree, home.path, ignore_errors=True)
    atexit.register(remove)  # where a signal comes just as the former ends, nothing below is done
    held: int | None = None
    try:
        try:
            held = _hold(home.path)
            for number in former:
                signal.signal(number, _end)
            yield home
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise _useless(error) from error
            raise
        finally:
            _hear_no_more()
    finally:  # also when a signal came just as the former began
        remove()
        atexit.unregister(remove)
        for number, handler in former.items():
            signal.signal(number, handler)
        if held is not None:
            os.close(held)


def _make() -> RunDir:
    try:
        return RunDir(tempfile.mkdtemp(prefix=_prefix()))
    except OSError as error:
        raise _useless(error) from error


def _prefix() -> str:
    return f"{PREFIX}{socket.gethostname()}@"


def _useless(error: OSError) -> RunError:
    return RunError(
        f"no temporary folder can be used ({error.strerror}): make room, or set TMPDIR to another"
    )


def _hold(folder: Path) -> int | None:
    """Lock the folder's file for as long as this process lives; None where that cannot be done.

    The file gets its name when it is locked: nobody finds it before.
    """
    unnamed = folder / f".{AGENT_LOCK}"
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if _lock(descriptor):
        os.rename(unnamed, folder / AGENT_LOCK)
        return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":  # a file that is open cannot be renamed
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody lives there, or the file system knows no locks
        return False
    return True


def _remove_those_of_the_dead() -> None:
    """Remove what agents have left that were killed: the keys of their runs are in there."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):  # without any temporary folder there is none of theirs
        for folder in Path(tempfile.gettempdir()).glob(f"{glob.escape(_prefix())}*"):
            if _is_ours(folder):
                _remove_if_dead(folder)


def _is_ours(folder: Path) -> bool:
    with contextlib.suppress(OSError):  # it has just gone
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return False


def _remove_if_dead(folder: Path) -> None:
    try:
        descriptor = os.open(folder / AGENT_LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # it is just being made or removed
        return
    try:
        if _lock(descriptor):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _end(number: int, frame: Any) -> None:
    _hear_no_more()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _hear_no_more() -> None:
    for number in _ENDING:
        if signal.getsignal(number) is _end:
            signal.signal(number, _too_late)


def _too_late(number: int, frame: Any) -> None:
    """It ends already."""
