"""What a journal says about a run when nobody runs it: for `status`, `resume` and `runs`.

Reads the journal through the same transitions as a broker would; changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from scoop_journal import Reader

from ..ids import ROOT_ID
from . import departures, from_journal
from .book import Book
from .functions import FunctionCode
from .records import plain
from .tasks import CANCELLED, DONE, HELD


class Function(NamedTuple):
    """A recorded function, what it meant, how many results it has, and saved states."""

    digest: bytes
    name: str
    code: FunctionCode
    blob: bytes
    results: int
    checkpoints: int


def read(path: str | os.PathLike[str], *, unsafe_filesystem: bool = False) -> tuple[Book, Reader]:
    """Return what a journal holds, and the reader, to be closed.

    Raises
    ------
    JournalError
        It cannot be read: its message says why and what to do.
    """
    reader = Reader.open(path, unsafe_filesystem=unsafe_filesystem)
    book = Book()
    try:
        for seq, record in reader.scan(payloads=False):
            from_journal.apply(book, seq, record)
    except BaseException:
        reader.close()
        raise
    return book, reader


def survey(
    path: str | os.PathLike[str], *, unsafe_filesystem: bool = False
) -> tuple[dict[str, Any], list[Function]]:
    """Return a run's state and counts, and its functions of which it is known what they meant.

    The keys are those of a live broker's, with ``saved``, whether the script has a state to go on
    from, ``kept``, whether it has that or has done something that may be done once only, ``blank``,
    whether there is nothing yet that a resume could use, and ``files``, the digest of each file of
    the user's code as it was run last.
    """
    book, reader = read(path, unsafe_filesystem=unsafe_filesystem)
    with reader:
        functions = _functions(book, reader)
        size, live = reader.size_bytes, reader.live_bytes
        strayed = departures.report(book)
    kept = book.kept.get(ROOT_ID)
    saved = kept is not None and kept.checkpoint is not None
    refs = [entry.ref for entry in book.code.recorded.values()]
    return {
        **_summary(book, size, live, path),
        **strayed,
        "saved": saved,
        "kept": kept is not None,
        "blank": not book.submitted and kept is None,
        "files": {ref.path: ref.digest for ref in refs if ref.kind != "namespace"},
    }, functions


def _functions(book: Book, reader: Reader) -> list[Function]:
    counts: dict[bytes, int] = {}
    saved: dict[bytes, int] = {}
    for batch in book.batches.values():
        for digest in batch.functions:
            for low, high in batch.stretches_of(digest):
                done = batch.state.count(DONE, low, high)
                counts[digest] = counts.get(digest, 0) + done
                kept = sum(low <= index < high for index in batch.kept)
                saved[digest] = saved.get(digest, 0) + kept
    with reader.reading() as view:
        return [
            Function(
                digest,
                book.function_name(digest),
                code,
                bytes(view.record(book.functions[digest][0]).payload),
                counts.get(digest, 0),
                saved.get(digest, 0),
            )
            for digest, code in book.codes.items()
            if code.digest
        ]


def _summary(book: Book, size: int, live: int, path: str | os.PathLike[str]) -> dict[str, Any]:
    tally = book.tally
    code = book.exit_code
    written = (Path(path) / "data.mdb").stat().st_mtime
    return {
        "state": "interrupted" if code is None else "failed" if code else "done",
        "exit_code": code,
        "tasks": {
            "submitted": book.submitted,
            "done": book.finished,
            "running": 0,
            "pending": tally.of(HELD),
            "failed": book.failed,
            "resubmitted": 0,
            "reused": 0,
            "cancelled": tally.of(CANCELLED),
            "dropped_late": 0,
        },
        "journal": {
            "bytes": size,
            "live_bytes": live,
            "free_bytes": max(0, size - live),
            "last_sync_s": None,
            "written": written,
        },
        "environment": plain(book.code.environment),
        "sources": sorted(book.code.recorded),
    }
