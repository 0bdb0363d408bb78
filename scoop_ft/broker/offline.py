"""What a journal says about a run when nobody runs it: for `status`, `resume` and `runs`.

Reads the journal through the same transitions as a broker would; changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scoop_journal import Reader

from ..wire.codec import decode_header
from ..wire.messages import Submit
from .book import Book
from .records import plain
from .tasks import CANCELLED, DONE, FAILED, HELD, VOID, Batch


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
        for seq, record in reader.scan():
            book.apply(seq, record.kind, record.header, len(record.payload))
    except BaseException:
        reader.close()
        raise
    return book, reader


def summary(path: str | os.PathLike[str], *, unsafe_filesystem: bool = False) -> dict[str, Any]:
    """Return a run's state and counts, with the keys of a live broker's."""
    book, reader = read(path, unsafe_filesystem=unsafe_filesystem)
    with reader:
        size, live = reader.size_bytes, reader.live_bytes
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


def report(
    path: str | os.PathLike[str], *, unsafe_filesystem: bool = False
) -> list[dict[str, Any]]:
    """Say, function by function, what a resumed run would reuse and what would run again.

    Returns
    -------
    list of dict
        ``function``, ``reused`` and ``again`` (numbers of tasks), ``why`` (of the second).
    """
    book, reader = read(path, unsafe_filesystem=unsafe_filesystem)
    counts: dict[tuple[str, str], list[int]] = {}
    with reader, reader.reading() as view:
        for batch in book.batches.values():
            which = _which(view, batch)
            for start, stop, state in batch.runs(0, batch.count):
                if state == VOID:
                    continue
                why = _REASONS.get(state, "")
                for index in range(start, stop):
                    name = book.function_name(batch.functions[which[index] if which else 0])
                    counts.setdefault((name, why), [0])[0] += 1
    rows: dict[str, dict[str, Any]] = {}
    for (name, why), (count,) in sorted(counts.items()):
        row = rows.setdefault(name, {"function": name, "reused": 0, "again": 0, "why": ""})
        if why:
            row["again"] += count
            row["why"] = "; ".join(filter(None, [row["why"], f"{count} {why}"]))
        else:
            row["reused"] += count
    return list(rows.values())


_REASONS = {
    HELD: "had not finished",
    FAILED: "failed before and are tried again",
    CANCELLED: "were cancelled",
    DONE: "",
}


def _which(view: Any, batch: Batch) -> memoryview | None:
    if len(batch.functions) == 1:
        return None
    header = decode_header(view.header(batch.seq), Submit)
    return memoryview(header.which).cast("H") if header.which else None
