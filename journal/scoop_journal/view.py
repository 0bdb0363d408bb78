"""Records as a user of the journal sees them: one by number, or all in order.

Works on bytes that something else fetches (LMDB, staging, a dictionary), and does no I/O itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from .envelope import BUFFER, NAMED, Envelope, damaged, unpack, unpack_head
from .errors import JournalError, RecordMissing

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: How many records a view's owner remembers as checked.
_REMEMBERED: Final = 1024


class Record(NamedTuple):
    """One record.  ``payload`` and ``buffers`` point into the journal's own memory: they are valid
    inside the ``with`` of the view they came from (in a scan: until the scan ends)."""

    kind: int
    header: bytes
    payload: memoryview
    buffers: list[memoryview]


class Checked:
    """The numbers of records whose checksum was found right a short while ago.

    A large record is read again for every span that is sent of it: its checksum is computed for
    the first of them.  What has not been read for a while is checked again, since it may have
    left memory and come back from the disk.
    """

    def __init__(self) -> None:
        self._seqs: set[int] = set()

    def __contains__(self, seq: int) -> bool:
        return seq in self._seqs

    def add(self, seq: int) -> None:
        """Remember a record; at the limit all others are forgotten, which is cheap and enough."""
        if len(self._seqs) >= _REMEMBERED:
            self._seqs.clear()
        self._seqs.add(seq)

    def clear(self) -> None:
        """Forget all."""
        self._seqs.clear()


class View:
    """Reads records by number, for as long as its ``with`` lasts.

    Parameters
    ----------
    fetch : callable
        Gives a record's stored bytes, or None.
    checked : Checked
        Shared by the views of one journal.
    """

    def __init__(self, fetch: Callable[[int], Buffer | None], checked: Checked) -> None:
        self._fetch = fetch
        self._checked = checked
        self._given: list[memoryview] = []
        self._closed = False

    def record(self, seq: int) -> Record:
        """Read one record with its buffers.

        Raises
        ------
        RecordMissing
            When there is none of this number.
        JournalDamaged
            When its bytes are not what was written.
        """
        own = self._envelope(seq)
        if own.kind in (NAMED, BUFFER):
            raise RecordMissing(f"{seq} is not the number of a record but inside one")
        buffers: list[memoryview] = []
        for offset in range(1, own.buffer_count + 1):
            buffers.append(self._buffer(seq, seq + offset))
        return Record(own.kind, own.header, own.payload, buffers)

    def buffer(self, seq: int, number: int) -> memoryview:
        """Read only one of a record's buffers."""
        return self._buffer(seq, seq + 1 + number)

    def header(self, seq: int) -> bytes:
        """Read only a record's header; its payload is neither read nor checked."""
        return unpack_head(self._stored(seq), seq).header

    def __contains__(self, seq: int) -> bool:
        self._require_open()
        return self._fetch(seq) is not None

    def close(self) -> None:
        """Take back the memory that was given out, as far as nobody still exports it."""
        self._closed = True
        for memory in self._given:
            # Whoever made an array or a frame of it keeps it alive: theirs to answer for.
            with contextlib.suppress(BufferError):
                memory.release()
        self._given.clear()

    def _buffer(self, owner: int, seq: int) -> memoryview:
        try:
            envelope = self._envelope(seq)
        except RecordMissing:
            raise damaged(owner, f"its buffer {seq} is missing") from None
        if envelope.kind != BUFFER:
            raise damaged(owner, f"its buffer {seq} is not a buffer")
        return envelope.payload

    def _envelope(self, seq: int) -> Envelope:
        data = self._stored(seq)
        known = seq in self._checked
        envelope = unpack(data, seq, check=not known)
        if not known:
            self._checked.add(seq)
        self._given.append(envelope.payload)
        return envelope

    def _stored(self, seq: int) -> Buffer:
        self._require_open()
        data = self._fetch(seq)
        if data is None:
            raise RecordMissing(f"the journal has no record {seq}: it was deleted or never written")
        return data

    def _require_open(self) -> None:
        if self._closed:
            raise JournalError("this view is closed: read inside its 'with'")


def fold(
    items: Iterable[tuple[int, Buffer]], *, payloads: bool = True
) -> Iterator[tuple[int, Record]]:
    """Decode records in order, giving each the buffers that follow it.

    Without ``payloads`` only their lengths are known: their bytes are neither read nor checked.

    Raises
    ------
    JournalDamaged
        At the first record that is not what was written, by its number.
    """
    decode = unpack if payloads else unpack_head
    stream = iter(items)
    for seq, data in stream:
        own = decode(data, seq)
        if own.kind in (NAMED, BUFFER):
            raise damaged(seq, "the record it belongs to is missing")
        buffers: list[memoryview] = []
        for expected in range(seq + 1, seq + 1 + own.buffer_count):
            found, data = next(stream, (None, b""))
            if found != expected:
                raise damaged(seq, f"its buffer {expected} is missing")
            envelope = decode(data, expected)
            if envelope.kind != BUFFER:
                raise damaged(seq, f"its buffer {expected} is not a buffer")
            buffers.append(envelope.payload)
        yield seq, Record(own.kind, own.header, own.payload, buffers)
