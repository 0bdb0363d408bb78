"""Reads a run's journal as it grows: how far the run is, and where a replay departed from it.

A parent that is run again finds its recorded calls; what it submits that is none of them is
recorded beside them.  Such *departures* are what makes a script unsafe to resume.  Those of nested
parents leave the journal with their parent's result, so it is read while the run goes on.
Only reads, in short transactions; knows nothing of values.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from scoop_journal import Reader, Record, RecordMissing

from scoop_ft.broker import from_journal
from scoop_ft.broker.book import Book
from scoop_ft.broker.content import Content
from scoop_ft.broker.records import Bind, Kind, decode_bind
from scoop_ft.broker.tasks import VOID, Batch
from scoop_ft.ids import ROOT_ID
from scoop_ft.inspect.calls import Call, call_of, ordinal_of
from scoop_ft.wire.codec import decode_header
from scoop_ft.wire.messages import Submit

SHOWN = 50  # departures whose calls are kept; more are counted


class Departure(NamedTuple):
    """A parent that was run again submitted something else.

    Attributes
    ----------
    path : tuple of int
        The ordinal among the script's tasks, then those of nested ones down to this.
    parent : str
        The function of its parent, empty for the script.
    old, new : Call or None
        What was recorded, and what was submitted instead.  No old one: it had submitted less.
        Both None: only counted.
    """

    path: tuple[int, ...]
    parent: str
    old: Call | None
    new: Call | None


class _Met(NamedTuple):
    """A newly recorded task, and the one that its ordinal had before (if any)."""

    parent: bytes
    ordinal: int
    batch: bytes
    at: int
    older: Batch | None
    older_at: int


class Follower:
    """Follows the journal of one run.

    Attributes
    ----------
    book : Book
        What is recorded so far.
    moved : int
        How many tasks a replay has asked for in another order; they were found by their content.
    """

    def __init__(self, path: Path) -> None:
        self.book = Book()
        self.moved = 0
        self._path = path
        self._reader: Reader | None = None
        self._next = 1
        self._met: list[_Met] = []
        self._replaced: list[tuple[_Met, Departure]] = []
        self._ended = False

    @property
    def departures(self) -> list[Departure]:
        """Where a replay departed: what was recorded there was not asked for later either."""
        return [departure for met, departure in self._replaced if _is_left_out(met)]

    @property
    def reader(self) -> Reader:
        """The open journal."""
        if self._reader is None:
            self._reader = Reader.open(self._path)
        return self._reader

    def close(self) -> None:
        """Close the journal; it is opened again when it is needed."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def update(self) -> None:
        """Take in what was recorded since."""
        if not (self._path / "data.mdb").exists():
            return
        for seq, record in self.reader.scan(self._next):
            self._next = seq + 1 + len(record.buffers)
            self._take(seq, record)
        self.book.take_dropped()
        self._settle()

    def _take(self, seq: int, record: Record) -> None:
        if record.kind == Kind.BATCH:
            self._meet(decode_header(record.header, Submit))
        elif record.kind == Kind.BIND:
            self._count_moves(decode_bind(record.header))
        elif record.kind == Kind.END:
            self._ended = True
        from_journal.apply(self.book, seq, record)

    # ---- departures -----------------------------------------------------------------------------

    def _meet(self, m: Submit) -> None:
        """Note which ordinals of a new batch had a task before."""
        family = self.book.families.get(m.parent)
        known = set()
        for segment in family.overlapping(m.first, m.first + m.count) if family else ():
            for k in range(segment.count):
                ordinal = segment.first + k
                known.add(ordinal)
                self._met.append(
                    _Met(m.parent, ordinal, m.batch, ordinal - m.first, segment.batch,
                         segment.index + k)
                )  # fmt: skip
        if self._ended and m.parent == ROOT_ID:  # it had submitted all that it would
            for index in range(m.count):
                if m.first + index not in known:
                    self._met.append(_Met(m.parent, m.first + index, m.batch, index, None, 0))

    def _count_moves(self, m: Bind) -> None:
        """Count the tasks that are found at another ordinal than before."""
        before = {
            (met.older.id, met.older_at): met.ordinal
            for met in self._met
            if met.batch == m.batch and met.older is not None
        }
        for ordinal, count, batch, index in m.slots:
            for k in range(count):
                self.moved += before.get((batch, index + k)) != ordinal + k

    def _settle(self) -> None:
        """Keep, of the ordinals that were submitted again, those where it was something else."""
        met, self._met = self._met, []
        for one in met:
            batch = self.book.batches.get(one.batch)
            if batch is not None and batch.state[one.at] != VOID:
                self._replaced.append((one, self._departure(one, batch)))

    def _departure(self, met: _Met, batch: Batch) -> Departure:
        path, parent = self._where(met.parent)
        old = new = None
        if len(self._replaced) < SHOWN:
            try:
                new = self._call(batch, met.at)
                old = self._call(met.older, met.older_at) if met.older is not None else None
            except RecordMissing:  # its parent has completed meanwhile
                old = new = None
        return Departure((*path, met.ordinal), parent, old, new)

    def _call(self, batch: Batch, index: int) -> Call:
        with self.reader.reading() as view:
            return call_of(self.book, view, Content.of(view, batch), index)

    def _where(self, parent: bytes) -> tuple[tuple[int, ...], str]:
        """Return the ordinals that lead to a parent, and its function's name."""
        if parent == ROOT_ID:
            return (), ""
        found = self.book.task(parent)
        if found is None:
            return (), "?"
        batch, index = found
        above, _ = self._where(batch.parent)
        which = 0
        with suppress(RecordMissing), self.reader.reading() as view:
            header = decode_header(view.header(batch.seq), Submit)
            which = memoryview(header.which).cast("H")[index] if header.which else 0
        name = self.book.function_name(batch.functions[which])
        return (*above, ordinal_of(self.book, batch, index)), name


def _is_left_out(met: _Met) -> bool:
    """Has the task that an ordinal had before no other ordinal now?"""
    places = met.older.places if met.older is not None else None
    return met.older is None or (places is not None and places[met.older_at] < 0)
