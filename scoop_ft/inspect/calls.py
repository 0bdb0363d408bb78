"""Recorded calls and results as the bytes that they are: read from a journal, never loaded."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scoop_journal import View

from ..broker.book import Book
from ..broker.content import Content
from ..broker.tasks import Batch
from ..wire.codec import decode_header
from ..wire.messages import Results, Status


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
                yield index, answer_at(m, ends, record.payload, position, buffers.get(index, []))


def answer_at(
    m: Results, ends: Sequence[int], payload: memoryview, position: int, buffers: list[bytes]
) -> Answer:
    """Cut a result out of its record: the one at this position, which has these buffers."""
    begin = ends[position - 1] if position else 0
    status = m.status[position] if m.status else Status.OK
    return Answer(status, bytes(payload[begin : ends[position]]), buffers)
