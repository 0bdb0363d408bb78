"""What a journal holds of the script's own tasks: calls and results, as bytes, by ordinal.

Only digests are kept of all tasks; the bytes of a few are read again when they are to be shown.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scoop_journal import View

from scoop_ft.broker.book import Book
from scoop_ft.broker.content import Content
from scoop_ft.broker.tasks import Batch
from scoop_ft.ids import ROOT_ID, digest
from scoop_ft.wire.codec import decode_header
from scoop_ft.wire.messages import Results, Status, Submit


class Call(NamedTuple):
    """A recorded call: function and arguments as they travelled."""

    name: str
    function: bytes
    payload: bytes
    buffers: list[bytes]


class Answer(NamedTuple):
    """A recorded result, by its `Status`."""

    status: int
    payload: bytes
    buffers: list[bytes]


class Row(NamedTuple):
    """One task: digests of its call and of its result (empty: there is none)."""

    call: bytes
    result: bytes
    name: str


class Table(NamedTuple):
    """The script's tasks in a finished round.

    Attributes
    ----------
    rows : dict
        `Row` by ordinal.
    consts : dict
        Digests of the shared constants' last values by name.
    """

    rows: dict[int, Row]
    consts: dict[str, bytes]


def read(book: Book, view: View) -> Table:
    """Return the script's tasks of a journal."""
    rows: dict[int, Row] = {}
    family = book.family(ROOT_ID)
    for batch in family.batches.values():
        content = _content(view, batch)
        results = {index: _digest(answer) for index, answer in answers(view, batch)}
        for start, stop, shift in family.ordinals(batch, 0, batch.count):
            for index in range(start, stop):
                name = book.function_name(content.function(index))
                rows[index + shift] = Row(content.name(index), results.get(index, b""), name)
    consts = {}
    for key, (seq, _) in book.consts.items():
        record = view.record(seq)
        consts[key] = digest(b"".join([bytes(record.payload), *map(bytes, record.buffers)]))
    return Table(dict(sorted(rows.items())), consts)


def call_at(book: Book, view: View, ordinal: int) -> Call:
    """Return the call that is the script's task of this ordinal."""
    batch, index = _find(book, ordinal)
    return call_of(book, view, _content(view, batch), index)


def answer_at(book: Book, view: View, ordinal: int) -> Answer:
    """Return the result of the script's task of this ordinal."""
    batch, index = _find(book, ordinal)
    return dict(answers(view, batch))[index]


def call_of(book: Book, view: View, content: Content, index: int) -> Call:
    """Return a call of a batch."""
    name = content.function(index)
    seq, text = book.functions[name]
    buffers = [bytes(buffer) for buffer in content.buffers.get(index, ())]
    blob = bytes(view.record(seq).payload)
    return Call(text, blob, bytes(content.arguments(index)), buffers)


def ordinal_of(book: Book, batch: Batch, index: int) -> int:
    """Return a task's place among its siblings; -1 when another has taken it."""
    for start, _, shift in book.family(batch.parent).ordinals(batch, index, index + 1):
        return start + shift
    return -1


def answers(view: View, batch: Batch) -> Iterator[tuple[int, Answer]]:
    """Yield the recorded results of a batch's tasks."""
    for first, last, seq, _ in batch.results:
        record = view.record(seq)
        m = decode_header(record.header, Results)
        ends = memoryview(m.ends).cast("I")
        indices = array("I", (i for start, stop in m.ranges for i in range(start, stop)))
        buffers: dict[int, list[bytes]] = {}
        for (index, _), buffer in zip(m.buffers, record.buffers, strict=True):
            buffers.setdefault(index, []).append(bytes(buffer))
        for position, index in enumerate(indices):
            if first <= index < last:
                begin = ends[position - 1] if position else 0
                payload = bytes(record.payload[begin : ends[position]])
                status = m.status[position] if m.status else Status.OK
                yield index, Answer(status, payload, buffers.get(index, []))


def _content(view: View, batch: Batch) -> Content:
    record = view.record(batch.seq)
    return Content(decode_header(record.header, Submit), record.payload, record.buffers)


def _find(book: Book, ordinal: int) -> tuple[Batch, int]:
    found = book.family(ROOT_ID).find(ordinal)
    assert found is not None, f"the script has no task {ordinal}"
    return found


def _digest(answer: Answer) -> bytes:
    parts: Sequence[Any] = [bytes([answer.status]), answer.payload, *answer.buffers]
    return digest(b"".join(parts))
