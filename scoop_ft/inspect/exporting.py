"""``scoop-ft journal export``: results so far, taken out of a run.

Written as they are read: a file appears whole, under its name, or not at all.  What is no plain
file (a pipe, a device) is written to.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import RunError
from ..rundir import RunDir
from .loader import Loader
from .opened import Opened, opened
from .rows import Row, read, walk
from .shown import PICKLE_PROTOCOL

_HEAD = pickle.dumps([], PICKLE_PROTOCOL)[:-1]
_APPEND, _END = b"a", b"."


def export(directory: RunDir, file: str | None, *, how: str, everything: bool) -> int:
    """Write the results of finished tasks; return how many.

    Parameters
    ----------
    directory : RunDir
    file : str or None
        Where to; None: standard output.
    how : str
        ``jsonl`` or ``pickle``.
    everything : bool
        Also those of nested tasks, not only the script's own.
    """
    if how == "pickle" and file is None and os.isatty(1):
        raise RunError("a pickle is nothing for a terminal: name a file with -o")
    with opened(directory) as run, _target(file) as target:
        return _write(run, target, how, everything)


def _write(run: Opened, target: BinaryIO, how: str, everything: bool) -> int:
    places = walk(run.book, nested=everything)
    done = (place for place in places if place.state == "done")
    count = 0
    if how == "pickle":
        target.write(_HEAD)
    with Loader(run.info) as loader:
        for rows in read(run.reader, done):
            for part in _shown(run, loader, how, rows):
                target.write(part)
                count += 1
    if how == "pickle":
        target.write(_END)
    return count


def _shown(run: Opened, loader: Loader, how: str, rows: list[Row]) -> Iterator[bytes]:
    items = [run.item(row, result=True) for row in rows]
    for item, shown in zip(items, loader.show(how, run.functions(rows), items), strict=True):
        if isinstance(shown, str):  # nobody can load it
            fields = {"task": item.name, "function": item.function, "result": {"repr": shown}}
            if how == "jsonl":
                shown = json.dumps(fields).encode() + b"\n"
            else:
                shown = pickle.dumps(fields, PICKLE_PROTOCOL)[2:-1]
        yield shown + _APPEND if how == "pickle" else shown


@contextmanager
def _target(file: str | None) -> Generator[BinaryIO, None, None]:
    """Open what is written to, and say so where there is no room for it."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    plain = os.path.isfile(file) or not os.path.exists(file)
    try:
        with _whole(file) if plain else _opened(file) as target:
            yield target
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunError(f"no room for {file}: make some, and export again") from error


def _opened(file: str) -> BinaryIO:
    try:
        return open(file, "wb")
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror}") from error


@contextmanager
def _whole(file: str) -> Generator[BinaryIO, None, None]:
    """Open a file that takes its place when all is in it."""
    path = Path(os.path.realpath(file))  # a link stays what it is
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
