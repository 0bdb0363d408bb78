"""Writes out what open files hold back, as a process of the user's code ends without Python's end.

A script opens a file at its top level, and neither it nor its tasks ever close it: Python would
write the last lines as it ends.  Files are written, not closed: threads may still use them.
"""

from __future__ import annotations

import gc
import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any, Final

from . import streams

# The base of all files, those made in C too.  To ask after `io.IOBase`, which is abstract, takes
# several times as long, and there may be millions of objects.
_FILE: Final[type] = io.IOBase.__mro__[1]


def write() -> None:
    """Write out what regular files hold back, wherever they are kept, and what was printed.

    A pipe that nobody reads would keep us from ending.
    """
    for file in _regular_files():
        try:
            file.flush()
        except Exception as error:  # noqa: BLE001 - a full disk: as Python would say it
            print(f"scoop-ft: {file!r} could not be written: {error}", file=sys.stderr)
    streams.flush()


def _regular_files() -> Iterator[Any]:
    """Yield those that are open; those that are made of others have their own way to write."""
    for file in [each for each in gc.get_objects() if issubclass(type(each), _FILE)]:
        try:
            regular = not file.closed and stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        except Exception:  # noqa: BLE001 - it is no file of the system, or closed underneath
            continue
        if regular:
            yield file
