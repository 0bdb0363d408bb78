"""What a journal holds just now, in the words of the ledger: which calls, and how they ended.

Reads the journal as anybody may, beside its writer or after its death; changes nothing.  Only for
the programs beside it, whose arguments are numbers, words and bytes.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

from scoop_journal import RecordMissing, View

from scoop_ft.broker import offline
from scoop_ft.broker.book import Book
from scoop_ft.broker.tasks import DONE, FAILED, VOID, Batch
from scoop_ft.payload import load
from scoop_ft.wire.codec import decode_header
from scoop_ft.wire.messages import Submit

from .noting import key_of


class Recorded(NamedTuple):
    """One look into a journal.

    Attributes
    ----------
    at : float
        When it was over: what it names was recorded before.
    done, failed, known : frozenset of str
        The calls that have a result, an exception, a submission.  A completed parent's descendants
        are in none of them.
    """

    at: float
    done: frozenset[str]
    failed: frozenset[str]
    known: frozenset[str]


class Looker:
    """Looks into one run's journal, and remembers the names of calls it has seen."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._names: dict[bytes, list[str]] = {}

    def look(self) -> Recorded:
        """Read the journal.

        Raises
        ------
        JournalError
            It cannot be read.
        """
        if not (self._journal / "data.mdb").exists():
            return Recorded(time.monotonic(), frozenset(), frozenset(), frozenset())
        book, reader = offline.read(self._journal)
        with reader, reader.reading() as view:
            for batch in book.batches.values():
                if batch.id not in self._names:
                    # Missing: its parent has completed since the scan.
                    with contextlib.suppress(RecordMissing):
                        self._names[batch.id] = names(view, book, batch)
        by_state: dict[int, set[str]] = {}
        for batch in book.batches.values():
            for name, state in zip(self._names.get(batch.id, ()), batch.state, strict=False):
                by_state.setdefault(state, set()).add(name)
        return Recorded(
            time.monotonic(),
            frozenset(by_state.get(DONE, ())),
            frozenset(by_state.get(FAILED, ())),
            frozenset().union(*(found for state, found in by_state.items() if state != VOID)),
        )


def names(view: View, book: Book, batch: Batch) -> list[str]:
    """Return the ledger's names of a batch's calls."""
    record = view.record(batch.seq)
    header = decode_header(record.header, Submit)
    which = memoryview(header.which).cast("H") if header.which else None
    ends = memoryview(header.ends).cast("I")
    buffers: dict[int, list[memoryview]] = {}
    for (index, _), buffer in zip(header.buffers, record.buffers, strict=True):
        buffers.setdefault(index, []).append(buffer)
    found = []
    for index in range(batch.count):
        begin = ends[index - 1] if index else 0
        args = load(record.payload[begin : ends[index]], buffers.get(index, []))
        function = book.function_name(batch.functions[which[index] if which else 0])
        found.append(key_of(function.rpartition(".")[2], args))
    return found
