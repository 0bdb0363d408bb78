"""Results that came one by one are recorded together, once no more of their batch is to come.

A million tasks of a second each are a million records; whoever reads the journal (a broker that
is restarted, a resume, a replay) would pay for each of them.  So when the last task of a batch has
ended, the small records of its results are written again as one, and leave the journal in the same
transaction.  What failed stays as it is, and so does what is large: it costs more to copy than to
find.

Decides which, and how; it changes no task's state.  No I/O beyond the journal through its port.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ..wire.codec import decode_header, encode
from ..wire.messages import Range, Results
from .records import Kind
from .slices import Slices
from .tasks import DONE, HELD, LEASED, QUEUED, Batch

if TYPE_CHECKING:
    from .core import Broker

LEAST: Final = 32  # fewer records are left as they are
SPARSE: Final = 8  # and so are records that hold more results than that, on average
SMALL_BYTES: Final = 4 << 10  # a result, on average in its record
MOST_BYTES: Final = 1 << 20  # in one record


def gather(b: Broker, batch: Batch) -> None:
    """Write a batch's scattered results as one, if it is time and worth it."""
    if len(batch.results) < b.gather_from or _has_more_to_come(batch):
        return
    with b.journal.reading() as view:
        found = _Gathered(batch, view, _scattered(batch, view))
        worth_it = len(found.gone) >= b.gather_from and found.count < SPARSE * len(found.gone)
        if worth_it and not b.full and b.journal.has_room(2 * SMALL_BYTES * found.count):
            for message, payload in found.messages():
                b.book.apply_results(b.append(Kind.RESULTS, encode(message), payload), message)


def _has_more_to_come(batch: Batch) -> bool:
    return any(batch.state.find(state) >= 0 for state in (LEASED, QUEUED, HELD))


def _scattered(batch: Batch, view: Any) -> set[int]:
    """Return the records that hold nothing but small results of tasks that are done."""
    whole: dict[int, int] = {}  # with the number of their results
    other: set[int] = set()
    for start, stop, seq, size in batch.results:
        if size == 1 and batch.state.count(DONE, start, stop) == stop - start:
            whole[seq] = whole.get(seq, 0) + stop - start
        else:
            other.add(seq)
    return {
        seq
        for seq, count in whole.items()
        if seq not in other and len(view.record(seq).payload) <= SMALL_BYTES * count
    }


class _Gathered:
    """Results of a batch, read from their records in the order of their tasks."""

    def __init__(self, batch: Batch, view: Any, seqs: set[int]) -> None:
        self._batch = batch
        self._view = view
        self._entries = [entry for entry in batch.results if entry[2] in seqs]
        self.gone = sorted(seqs)
        self.count = sum(stop - start for start, stop, _, _ in self._entries)

    def messages(self) -> Iterator[tuple[Results, bytes]]:
        """Yield what is to be recorded in their place, with the payloads."""
        part = _Part(self._batch.id)
        counted: set[int] = set()
        for start, stop, seq, _ in self._entries:
            record = self._view.record(seq)
            header = decode_header(record.header, Results)
            part.add(start, stop, header, record.payload)
            if seq not in counted:
                counted.add(seq)
                part.timed += header.timed
                part.elapsed_ns += header.elapsed_ns
            if part.slices.size >= MOST_BYTES:
                yield part.message()
                part = _Part(self._batch.id)
        if part.ranges:
            yield part.message()


class _Part:
    """One record to be, as it grows."""

    def __init__(self, batch: bytes) -> None:
        self._batch = batch
        self.slices = Slices()
        self.ranges: list[Range] = []
        self.timed = 0
        self.elapsed_ns = 0

    def add(self, start: int, stop: int, header: Results, payload: Any) -> None:
        """These tasks' results stand in this record."""
        self.slices.add(start, stop, header, payload)
        if self.ranges and self.ranges[-1][1] == start:
            start = self.ranges.pop()[0]
        self.ranges.append((start, stop))

    def message(self) -> tuple[Results, bytes]:
        """Return the header and the payload."""
        header = Results(
            0, self._batch, self.ranges, b"", self.slices.ends, [], self.timed, self.elapsed_ns,
            False,
        )  # fmt: skip
        return header, self.slices.payload
