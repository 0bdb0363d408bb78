"""What every journal does, whatever it stores in: stage, show what is staged, commit as a whole.

The shared half of ``Journal`` (LMDB) and ``MemoryJournal``: one contract, kept in one place.
No I/O here; the two subclasses say where committed bytes are and how a staging gets there.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from .envelope import BUFFER, unpack, unpack_named
from .errors import JournalBroken, JournalError
from .layout import FIRST_SEQ
from .staging import Staging
from .view import Checked, Record, View, fold

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self


class Snapshot(Protocol):
    """The committed bytes at one moment."""

    def get(self, seq: int) -> Buffer | None:
        """Give a record's stored bytes."""

    def blob(self, name: bytes) -> Buffer | None:
        """Give a blob's stored bytes."""

    def items(self, start: int) -> Iterable[tuple[int, Buffer]]:
        """Give all stored records from a number on, in order."""


class BaseJournal(ABC):
    """A journal's contract.  One thread, one process; nothing survives a fork.

    Parameters
    ----------
    run : str
        The run that the journal belongs to.
    next_seq : int
        The number that the next record gets.
    """

    def __init__(self, run: str, next_seq: int) -> None:
        self.run = run
        self.last_commit_seconds = 0.0
        self._staging = Staging(next_seq)
        self._checked = Checked()
        self._views = 0
        self._broken: str | None = None
        self._closed = False

    # -- writing ---------------------------------------------------------------------------------

    def append(
        self,
        kind: int,
        header: bytes,
        payload: Buffer = b"",
        buffers: Sequence[Buffer] = (),
    ) -> int:
        """Stage a record; it is kept from the next ``commit`` on.

        Parameters
        ----------
        kind : int
            1 to 254, the user's own numbering.
        header : bytes
            The small part, copied at each reading.
        payload : Buffer
            The large part, copied once, now.
        buffers : sequence of Buffer
            More large parts, stored beside the record under the numbers that follow its own.

        Returns
        -------
        int
            The record's number: always larger than any before.
        """
        self._require_usable()
        return self._staging.append(kind, header, payload, buffers)

    def put_blob(self, name: bytes, data: Buffer) -> None:
        """Stage a value under a name of 1 to 511 bytes, in place of any value before."""
        self._require_usable()
        self._staging.put_blob(name, data)

    def delete_blob(self, name: bytes) -> None:
        """Stage the deletion of a named value, if there is one."""
        self._require_usable()
        self._staging.delete_blob(name)

    def delete(self, seq: int, count: int = 1) -> None:
        """Stage the deletion of the records numbered ``seq`` to ``seq + count - 1``.

        Buffers leave with the record they belong to.  A record that is still staged is gone at
        once; a committed one can be read until the next ``commit``.  Numbers are never given again.
        """
        self._require_usable()
        if seq < FIRST_SEQ or count < 1 or seq + count > self._staging.next_seq:
            raise ValueError(
                f"cannot delete {count} records from {seq} on: "
                f"{FIRST_SEQ} to {self._staging.next_seq - 1} were given"
            )
        if self._kind(seq) == BUFFER:
            raise ValueError(f"{seq} is inside a record: delete from the record's own number on")
        stop = seq + count
        while self._staged_kind(stop) == BUFFER:
            stop += 1
        self._staging.delete(seq, stop)

    def commit(self) -> int:
        """Write all that is staged in one transaction, synced unless it was opened otherwise.

        Returns
        -------
        int
            The last number given so far (0 when none was).

        Raises
        ------
        JournalFull
            No room; all stays staged, call again when there is room.
        JournalBroken
            The disk failed; stop.
        """
        self._require_usable()
        if self._views:
            raise JournalError("commit inside an open view or scan: leave it first")
        if self._staging.dirty:
            began = time.perf_counter()
            self._store(self._staging)
            self._staging.clear()
            self.last_commit_seconds = time.perf_counter() - began
        return self.last_seq

    # -- reading ---------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Generator[View, None, None]:
        """Read records, staged ones included, without copying; keep it short.

        What is committed is opened when something is asked for that is not staged.
        """
        self._require_usable()
        staged = self._staging.records
        opened: list[tuple[AbstractContextManager[Snapshot], Snapshot]] = []

        def fetch(seq: int) -> Buffer | None:
            data = staged.get(seq)
            if data is not None:
                return data
            if not opened:
                context = self._open_snapshot()
                opened.append((context, context.__enter__()))
            return opened[0][1].get(seq)

        view = View(fetch, self._checked)
        self._views += 1
        try:
            yield view
        finally:
            self._views -= 1
            view.close()
            for context, _ in opened:
                context.__exit__(None, None, None)

    def scan(
        self, start: int = FIRST_SEQ, *, payloads: bool = True
    ) -> Iterator[tuple[int, Record]]:
        """Go through the committed records from ``start`` on, in order, each one verified.

        A record is valid until the scan ends; the journal cannot commit before that.  Without
        ``payloads`` those are not read: only their lengths are known.
        """
        self._require_usable()
        with self._open_snapshot() as snapshot:
            self._views += 1
            try:
                yield from fold(snapshot.items(start), payloads=payloads)
            finally:
                self._views -= 1

    def blob(self, name: bytes) -> bytes | None:
        """Read a named value, staged or committed."""
        self._require_usable()
        if name in self._staging.blobs:
            data: Buffer | None = self._staging.blobs[name]
            return None if data is None else bytes(unpack_named(name, data))
        with self._open_snapshot() as snapshot:
            data = snapshot.blob(name)
            return None if data is None else bytes(unpack_named(name, data))

    def has_blob(self, name: bytes) -> bool:
        """Whether a named value exists, staged or committed."""
        self._require_usable()
        if name in self._staging.blobs:
            return self._staging.blobs[name] is not None
        with self._open_snapshot() as snapshot:
            return snapshot.blob(name) is not None

    # -- state -----------------------------------------------------------------------------------

    @property
    def last_seq(self) -> int:
        """The last number given, 0 when none was."""
        return self._staging.next_seq - 1

    @property
    def staged_bytes(self) -> int:
        """The size of all that waits for the next commit."""
        return self._staging.bytes

    @property
    def dirty(self) -> bool:
        """Whether a commit has anything to write."""
        return self._staging.dirty

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """The size of what is stored."""

    def forget_pages(self) -> None:
        """Give back memory that reading has taken, where that is so."""
        return

    @property
    @abstractmethod
    def live_bytes(self) -> int:
        """The part of that size which is in use; the rest is written over before it grows."""

    @abstractmethod
    def free_bytes(self) -> int:
        """How many bytes can still be stored."""

    @abstractmethod
    def has_room(self, wanted: int) -> bool:
        """Whether new work of this size may be taken in, so that its end can be stored too."""

    @abstractmethod
    def why_full(self) -> str:
        """Say what has no room for more, and what to do about it."""

    def close(self) -> None:
        """End.  What was not committed is lost; closing twice is no error."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- for the subclasses ----------------------------------------------------------------------

    @abstractmethod
    def _open_snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open the committed bytes for reading."""

    @abstractmethod
    def _store(self, staging: Staging) -> None:
        """Put a staging on disk, all or nothing, or raise."""

    def _require_usable(self) -> None:
        if self._broken is not None:
            raise JournalBroken(self._broken)
        if self._closed:
            raise JournalError("the journal is closed: open it again")

    def _staged_kind(self, seq: int) -> int | None:
        data = self._staging.records.get(seq)
        return None if data is None else unpack(data, seq, check=False).kind

    def _kind(self, seq: int) -> int | None:
        """A record's kind, from its first bytes; None when it is gone."""
        if seq >= self._staging.base_seq:
            return self._staged_kind(seq)
        with self._open_snapshot() as snapshot:
            data = snapshot.get(seq)
            return None if data is None else unpack(data, seq, check=False).kind
