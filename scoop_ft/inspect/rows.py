"""The tasks of a journal, one after the other, and their bytes.

Goes down the tree of calls in order: a task, then its children.  The journal is read in short
transactions, a limited number of tasks at a time, so that a run at work is not kept from using
its free pages, and memory stays bounded however large the journal is.  Loads nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scoop_journal import Reader, RecordMissing, View

from ..broker import naming
from ..broker.book import Book
from ..broker.content import Content
from ..broker.slices import position_in
from ..broker.tasks import DONE, FAILED, VOID, Batch
from ..ids import ROOT_ID, task_id
from ..wire.codec import decode_header
from ..wire.messages import Results
from .calls import Answer, answer_at

MOST_TASKS = 5000  # read in one transaction
MOST_BYTES = 4 << 20
_WORDS = {DONE: "done", FAILED: "failed"}


def state_of(batch: Batch, index: int) -> str:
    """Return a task's state for people: ``done``, ``failed`` or ``pending``."""
    return _WORDS.get(batch.state[index], "pending")


@dataclass(frozen=True, slots=True)
class Place:
    """A task and its name."""

    name: str
    batch: Batch
    index: int

    @property
    def state(self) -> str:
        """``done``, ``failed`` or ``pending``."""
        return state_of(self.batch, self.index)


class Row(NamedTuple):
    """A task with what was asked to be read of it."""

    place: Place
    function: bytes  # digest
    arguments: bytes
    buffers: list[bytes]
    answer: Answer | None

    @property
    def size_bytes(self) -> int:
        """How much memory its bytes take."""
        mine = len(self.arguments) + sum(map(len, self.buffers))
        if self.answer is not None:
            mine += len(self.answer.payload) + sum(map(len, self.answer.buffers))
        return mine


def walk(book: Book, *, nested: bool = True) -> Iterator[Place]:
    """Yield the script's tasks in order, each followed by those below it (if ``nested``)."""
    stack = [_children(book, ROOT_ID, "")]
    while stack:
        place = next(stack[-1], None)
        if place is None:
            stack.pop()
            continue
        yield place
        if nested and place.index in place.batch.families:
            below = task_id(place.batch.id, place.index)
            stack.append(_children(book, below, place.name + "."))


def _children(book: Book, parent: bytes, prefix: str) -> Iterator[Place]:
    family = book.families.get(parent)
    if family is None:
        return
    for segment in family.segments:
        for offset in range(segment.count):
            name = f"{prefix}{segment.first + offset + 1}"
            yield Place(name, segment.batch, segment.index + offset)
    for batch in family.batches.values():  # those whose places were taken by other calls
        for index, ordinal in enumerate(batch.places or ()):
            if ordinal < 0 and batch.state[index] != VOID:
                yield Place(naming.name(book, batch, index), batch, index)


def read(
    reader: Reader, places: Iterator[Place], *, calls: bool = True, answers: bool = True
) -> Iterator[list[Row]]:
    """Yield rows, as many at a time as fit into the limits of one reading.

    What has left the journal meanwhile is left out: its parent has completed.
    """
    chunk: list[Row] = []
    size = 0
    while True:
        with reader.reading() as view:
            records = _Records(view)
            for place in places:
                row = _row(records, place, calls=calls, answers=answers)
                if row is None:
                    continue
                chunk.append(row)
                size += row.size_bytes
                if len(chunk) >= MOST_TASKS or size >= MOST_BYTES:
                    break
        if not chunk:
            return
        yield chunk  # the reading is over
        chunk, size = [], 0


def _row(records: _Records, place: Place, *, calls: bool, answers: bool) -> Row | None:
    batch, index = place.batch, place.index
    try:
        function = batch.functions[0]
        arguments, buffers = b"", []
        if calls or len(batch.functions) > 1:
            content = records.content(batch)
            function = content.function(index)
        if calls:
            arguments = bytes(content.arguments(index))
            buffers = [bytes(buffer) for buffer in content.buffers.get(index, ())]
        answer = records.answer(batch, index) if answers else None
    except RecordMissing:
        return None
    return Row(place, function, arguments, buffers, answer)


class _Records:
    """The records of one reading, each decoded once for neighbours."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._batch: tuple[int, Content] | None = None
        self._results: tuple[int, Results, Sequence[int], Any] | None = None

    def content(self, batch: Batch) -> Content:
        """Return the calls of a batch."""
        if self._batch is None or self._batch[0] != batch.seq:
            self._batch = batch.seq, Content.of(self._view, batch)
        return self._batch[1]

    def answer(self, batch: Batch, index: int) -> Answer | None:
        """Return the result of a task, None when it has none."""
        at = bisect_right(batch.results, index, key=lambda entry: entry[0]) - 1
        if at < 0 or index >= batch.results[at][1]:
            return None
        seq = batch.results[at][2]
        if self._results is None or self._results[0] != seq:
            record = self._view.record(seq)
            header = decode_header(record.header, Results)
            self._results = seq, header, memoryview(header.ends).cast("I"), record
        _, header, ends, record = self._results
        position = position_in(header.ranges, index)
        large = [
            bytes(buffer)
            for (owner, _), buffer in zip(header.buffers, record.buffers, strict=True)
            if owner == index
        ]
        return answer_at(header, ends, record.payload, position, large)
