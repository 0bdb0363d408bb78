"""What waits for the next commit: records, deletions and blobs, encoded, in memory only.

No I/O here, and no decision about when to commit.  Nothing leaves the staging until ``clear``,
which the journal calls after the transaction is on disk: a failed commit loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .envelope import BUFFER, FIRST_USER_KIND, LAST_USER_KIND, pack, pack_named
from .layout import MAX_NAME_BYTES

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Staging:
    """The next transaction, as it grows.

    Parameters
    ----------
    next_seq : int
        The number that the next record gets.
    """

    def __init__(self, next_seq: int) -> None:
        self.next_seq = next_seq
        #: The first number that could be staged; all below are committed (or were deleted).
        self.base_seq = next_seq
        self.records: dict[int, bytes] = {}  # in growing order: numbers are given once
        self.deletions: list[tuple[int, int]] = []  # ranges: start, stop
        self.blobs: dict[bytes, bytes | None] = {}  # None: to be deleted
        self.bytes = 0

    @property
    def dirty(self) -> bool:
        """Whether a commit has anything to write."""
        return self.next_seq != self.base_seq or bool(self.deletions) or bool(self.blobs)

    def append(self, kind: int, header: bytes, payload: Buffer, buffers: Sequence[Buffer]) -> int:
        """Stage a record and its buffers under consecutive numbers; return the first."""
        if not FIRST_USER_KIND <= kind <= LAST_USER_KIND:
            raise ValueError(f"kind must be {FIRST_USER_KIND} to {LAST_USER_KIND}, not {kind}")
        # All are encoded before any is staged: a bad buffer must not leave half a record.
        packed = [pack(kind, header, payload, len(buffers))]
        packed += [pack(BUFFER, b"", buffer) for buffer in buffers]
        seq = self.next_seq
        for offset, data in enumerate(packed):
            self.records[seq + offset] = data
            self.bytes += len(data)
        self.next_seq = seq + len(packed)
        return seq

    def put_blob(self, name: bytes, data: Buffer) -> None:
        """Stage a blob; the last one staged under a name counts."""
        if not 1 <= len(name) <= MAX_NAME_BYTES:
            raise ValueError(f"a blob's name has 1 to {MAX_NAME_BYTES} bytes, not {len(name)}")
        packed = pack_named(name, data)
        self._forget_blob(name)
        self.blobs[name] = packed
        self.bytes += len(packed)

    def delete_blob(self, name: bytes) -> None:
        """Stage a blob's deletion."""
        self._forget_blob(name)
        self.blobs[name] = None

    def delete(self, start: int, stop: int) -> None:
        """Stage the deletion of the records from ``start`` up to ``stop``.

        What is still staged is dropped at once; the rest becomes one range.
        """
        for seq in range(max(start, self.base_seq), min(stop, self.next_seq)):
            dropped = self.records.pop(seq, None)
            if dropped is not None:
                self.bytes -= len(dropped)
        stop = min(stop, self.base_seq)
        if start >= stop:
            return
        if self.deletions and self.deletions[-1][1] == start:
            start = self.deletions.pop()[0]
        self.deletions.append((start, stop))

    def items_from(self, first: int) -> Iterator[tuple[int, bytes]]:
        """The staged records numbered ``first`` or more, in order."""
        return ((seq, data) for seq, data in self.records.items() if seq >= first)

    def clear(self) -> None:
        """Forget everything: it is on disk."""
        self.base_seq = self.next_seq
        self.records.clear()
        self.deletions.clear()
        self.blobs.clear()
        self.bytes = 0

    def _forget_blob(self, name: bytes) -> None:
        old = self.blobs.pop(name, None)
        if old is not None:
            self.bytes -= len(old)
