"""The journal in memory: the same contract, with faults on demand, for simulators and tests.

It stores the same bytes as the real one and loses, at ``crash``, what the real one would lose.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from .base import BaseJournal
from .envelope import BUFFER, unpack
from .errors import JournalBroken, JournalFull
from .layout import FIRST_SEQ
from .staging import Staging


class _Stored:
    """What is "on disk"; numbers grow, so the dictionary's order is theirs."""

    def __init__(self) -> None:
        self.records: dict[int, bytes] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.next_seq = FIRST_SEQ

    def get(self, seq: int) -> bytes | None:
        return self.records.get(seq)

    def blob(self, name: bytes) -> bytes | None:
        return self.blobs.get(name)

    def items(self, start: int) -> Iterator[tuple[int, bytes]]:
        return ((seq, data) for seq, data in self.records.items() if seq >= start)


class MemoryJournal(BaseJournal):
    """A journal that keeps its bytes in memory.

    Parameters
    ----------
    run : str
        The run it belongs to.
    capacity : int, optional
        How many bytes can be stored; may be changed at any time, as a disk that fills and is
        freed.  None: no limit.
    """

    def __init__(self, run: str = "", capacity: int | None = None) -> None:
        super().__init__(run, FIRST_SEQ)
        self.path = "memory"
        self.capacity = capacity
        self._stored = _Stored()
        self._break_next = False

    def crash(self) -> None:
        """Lose all that was not committed, and be as after opening again."""
        self._staging = Staging(self._stored.next_seq)
        self._checked.clear()
        self._broken = None
        self._closed = False

    def break_next_commit(self) -> None:
        """Let the next commit fail as a failed sync does: what it held is not stored."""
        self._break_next = True

    @property
    def size_bytes(self) -> int:
        """The size of what is stored."""
        records = sum(map(len, self._stored.records.values()))
        return records + sum(map(len, self._stored.blobs.values()))

    @property
    def live_bytes(self) -> int:
        """All of it: memory that is free is given back."""
        return self.size_bytes

    def free_bytes(self) -> int:
        """How many bytes can still be stored."""
        return (1 << 62) if self.capacity is None else max(0, self.capacity - self.size_bytes)

    def reap_readers(self) -> int:
        """Nobody else reads it: there is nothing to free."""
        self._require_usable()
        return 0

    def has_room(self, wanted: int) -> bool:
        """Whether new work of this size may be taken in."""
        return self.free_bytes() - self.staged_bytes >= wanted

    def why_full(self) -> str:
        """Say what has no room for more, and what to do about it."""
        return f"the disk of {self.path} is full: make room, and it goes on"

    def _open_snapshot(self) -> AbstractContextManager[_Stored]:
        return nullcontext(self._stored)

    def _store(self, staging: Staging) -> None:
        if self._break_next:
            self._break_next = False
            self._broken = "the simulated disk failed to sync; stop, and open the journal again"
            raise JournalBroken(self._broken)
        if staging.bytes > self.free_bytes():
            raise JournalFull(
                f"no room for {staging.bytes} bytes in memory; raise the journal's capacity"
            )
        self._stored.records.update(staging.records)
        for start, stop in staging.deletions:
            self._delete(start, stop)
        for name, data in staging.blobs.items():
            if data is None:
                self._stored.blobs.pop(name, None)
            else:
                self._stored.blobs[name] = data
        self._stored.next_seq = staging.next_seq

    def _delete(self, start: int, stop: int) -> None:
        records = self._stored.records
        if stop - start > len(records):
            doomed = [seq for seq in records if start <= seq < stop]
        else:
            doomed = [seq for seq in range(start, stop) if seq in records]
        for seq in doomed:
            del records[seq]
        seq = stop
        while seq in records and unpack(records[seq], seq, check=False).kind == BUFFER:
            del records[seq]
            seq += 1
