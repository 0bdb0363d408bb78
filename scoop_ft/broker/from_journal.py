"""Applies what is read back from the journal to a book: one line for each kind of record.

Whoever reads a journal (a broker that is started, a resume, those who only look) takes a record in
by `apply`, and so in the same way as the broker that wrote it.  Nothing here reads the journal.
"""

from __future__ import annotations

from typing import Any

from ..errors import RunError
from ..wire.codec import decode_environment, decode_header
from ..wire.messages import Checkpoint, Define, End, Results, SetConst, Source, Step, Submit
from . import records
from .book import Book
from .records import Kind


def apply(book: Book, seq: int, record: Any) -> None:
    """Apply a record; those without their payloads will do.

    Raises
    ------
    RunError
        It is none that this version of scoop-ft writes.
    """
    try:
        kind = Kind(record.kind)
    except ValueError:
        raise RunError(
            f"the run has a record that this version of scoop-ft does not know (number {seq}, "
            f"kind {record.kind}): go on with it in the newer version that wrote it"
        ) from None
    _APPLY[kind](book, seq, record.header, len(record.payload))


_APPLY: dict[Kind, Any] = {
    Kind.BATCH: lambda book, seq, h, n: book.apply_batch(seq, decode_header(h, Submit), n),
    Kind.RESULTS: lambda book, seq, h, _: book.apply_results(seq, decode_header(h, Results)),
    Kind.CONST: lambda book, seq, h, _: book.apply_const(seq, decode_header(h, SetConst)),
    Kind.CRASH: lambda book, seq, h, _: book.apply_crash(seq, records.decode_crash(h)),
    Kind.BIND: lambda book, seq, h, _: book.apply_bind(seq, records.decode_bind(h)),
    Kind.RETRY: lambda book, seq, h, _: book.apply_retry(seq),
    Kind.DEPARTED: lambda book, seq, h, _: book.apply_departed(seq, records.decode_departed(h)),
    Kind.CHANGE: lambda book, seq, h, _: book.apply_change(seq, records.decode_change(h)),
    Kind.END: lambda book, seq, h, _: book.apply_end(seq, decode_header(h, End)),
    Kind.MEMBER: lambda book, seq, h, _: book.apply_member(seq, records.decode_member(h)),
    Kind.FUNCTION: lambda book, seq, h, n: book.apply_function(seq, decode_header(h, Define), n),
    Kind.CHECKPOINT: lambda book, seq, h, _: book.apply_checkpoint(
        seq, decode_header(h, Checkpoint)
    ),
    Kind.STEP: lambda book, seq, h, _: book.apply_step(seq, decode_header(h, Step)),
    Kind.EDIT: lambda book, seq, h, _: book.apply_edit(records.decode_edit(h)),
    Kind.SOURCE: lambda book, seq, h, _: book.apply_source(seq, decode_header(h, Source)),
    Kind.ENVIRONMENT: lambda book, seq, h, _: book.code.apply_environment(
        seq, decode_environment(h)
    ),
}
