"""What a journal holds of the script's own tasks: calls and results, as bytes, by ordinal.

Only digests are kept of all tasks; the bytes of a few are read again when they are to be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from scoop_journal import View

from scoop_ft.broker.book import Book
from scoop_ft.broker.content import Content
from scoop_ft.broker.tasks import Batch
from scoop_ft.ids import ROOT_ID, digest
from scoop_ft.inspect.calls import Answer, Call, answers, call_of


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
        content = Content.of(view, batch)
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
    return call_of(book, view, Content.of(view, batch), index)


def answer_at(book: Book, view: View, ordinal: int) -> Answer:
    """Return the result of the script's task of this ordinal."""
    batch, index = _find(book, ordinal)
    return dict(answers(view, batch))[index]


def _find(book: Book, ordinal: int) -> tuple[Batch, int]:
    found = book.family(ROOT_ID).find(ordinal)
    assert found is not None, f"the script has no task {ordinal}"
    return found


def _digest(answer: Answer) -> bytes:
    parts: Sequence[Any] = [bytes([answer.status]), answer.payload, *answer.buffers]
    return digest(b"".join(parts))
