"""One writer at a time: the owner's lock, and who holds it.

The kernel releases the lock when its holder dies, however it dies.  Beside it a note says who the
holder is, for messages only: nothing is decided by the note but how to read (see ``reader``).
A broker's start waits for this module, so it asks the system for the lock itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from .errors import JournalError, JournalLocked
from .filesystem import is_no_room
from .layout import OWNER_FILE, OWNER_LOCK_FILE

_LOOK_AGAIN_S: Final = 0.01
_LOOK: Final = os.O_RDWR if sys.platform == "win32" else os.O_RDONLY  # to try the lock


class Owner(NamedTuple):
    """The process that owns, or owned, a journal."""

    pid: int
    host: str

    @property
    def lives(self) -> bool:
        """Whether it is there, as far as this host can know."""
        if self.host != socket.gethostname():
            return True
        import psutil

        return bool(psutil.pid_exists(self.pid))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class OwnerLock:
    """The lock of one journal's folder, held until ``release``.

    Parameters
    ----------
    folder : Path
        The journal's folder.
    patience : float
        How many seconds to wait for it: ``has_owner`` of another process holds it for a moment.
    """

    def __init__(self, folder: Path, patience: float = 0.25) -> None:
        self._folder = folder
        self._patience = patience
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or refuse.

        Raises
        ------
        JournalLocked
            When another holds it, naming the holder.
        """
        try:
            fd = os.open(self._folder / OWNER_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise _not_yours(self._folder, error) from error
        deadline = time.monotonic() + self._patience
        while not self._try(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                holder = read_owner(self._folder)
                who = str(holder) if holder is not None else "another process"
                raise JournalLocked(
                    f"{self._folder} belongs to {who}; wait until it ends, or end it"
                )
            time.sleep(_LOOK_AGAIN_S)
        self._fd = fd

    def _try(self, fd: int) -> bool:
        try:
            return _try_lock(fd)
        except OSError as error:
            os.close(fd)
            raise _no_locks(self._folder, error) from error

    def sign(self) -> None:
        """Write down who holds the lock."""
        note = {"pid": os.getpid(), "host": socket.gethostname()}
        text = json.dumps(note) + "\n"
        fresh = self._folder / f"{OWNER_FILE}.new"
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._folder / OWNER_FILE)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink()
            if isinstance(error, PermissionError):
                raise _not_yours(self._folder, error) from error
            if not is_no_room(error.errno):
                raise
            self._sign_over(text)

    def _sign_over(self, text: str) -> None:
        """Write over the note of the one before, which takes no room; it is only a note."""
        with (
            contextlib.suppress(OSError),
            open(self._folder / OWNER_FILE, "r+b", buffering=0) as file,
        ):
            file.write(text.encode().ljust(os.fstat(file.fileno()).st_size))

    def release(self) -> None:
        """Give the lock back; the note of another process stays."""
        if self._fd is not None:
            holder = read_owner(self._folder)
            if holder == Owner(os.getpid(), socket.gethostname()):
                with contextlib.suppress(OSError):  # only a note: the lock decides
                    (self._folder / OWNER_FILE).unlink()
            os.close(self._fd)
            self._fd = None


def _try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; closing it unlocks.

    ``shared``: with others that only look, which is all that a file open for reading allows on some
    file systems.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_owner(folder: Path) -> Owner | None:
    """Read who signed for the journal last; None when nobody did, or nothing legible is there."""
    try:
        note = json.loads((folder / OWNER_FILE).read_text(encoding="utf-8"))
        return Owner(int(note["pid"]), str(note["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def has_owner(folder: Path) -> bool:
    """Try whether someone holds the lock now, without leaving a trace, on a read-only disk, too."""
    try:
        fd = os.open(folder / OWNER_LOCK_FILE, _LOOK)
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise _not_yours(folder, error) from error
    try:
        return not _try_lock(fd, shared=True)
    except OSError as error:
        raise _no_locks(folder, error) from error
    finally:
        os.close(fd)


def _not_yours(folder: Path, error: OSError) -> JournalError:
    return JournalError(
        f"{folder} cannot be opened: {error.strerror}; have its owner give you the right to, "
        "or take a copy"
    )


def _no_locks(folder: Path, error: OSError) -> JournalError:
    return JournalError(
        f"files in {folder} cannot be locked ({error.strerror}); put the run on a local disk, "
        "such as a folder in $TMPDIR"
    )
