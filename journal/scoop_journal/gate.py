"""The moment in which a journal's files are replaced, kept apart from those in which it is opened.

The engine opens two files by their names, one after the other, and trusts them to belong together.
Who opens a journal passes a gate that many may pass at once; who replaces its files closes it for
a moment.  The gate is the folder itself, locked by the kernel and released with its process.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import JournalError


@contextmanager
def passing(folder: Path) -> Generator[None, None, None]:
    """Open the journal's files in here.

    Where a folder cannot be locked it is not: there nobody can close the gate either.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(_locked(folder, exclusive=False))
        yield


@contextmanager
def closed(folder: Path) -> Generator[None, None, None]:
    """Replace the journal's files in here: nobody is between opening the one and the other.

    Raises
    ------
    JournalError
        This folder cannot be locked.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_locked(folder, exclusive=True))
        except OSError as error:
            raise JournalError(
                f"{folder} cannot be locked ({error.strerror}), and so not be compacted where it "
                "is; copy it to a local disk"
            ) from error
        yield


@contextmanager
def _locked(folder: Path, *, exclusive: bool) -> Generator[None, None, None]:
    if sys.platform == "win32":
        raise OSError(0, "folders have no locks there")
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
