"""What was committed when: the journal's contents after each of its transactions.

A transaction is there as soon as its meta page was written, and safe when that page is synced.  So
after a cut the journal must hold exactly what it held after one transaction: not an older one than
the last that was safe, nor a newer one than the last that was begun.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scoop_journal import Record
from scoop_journal.envelope import unpack_named
from scoop_journal.layout import NEXT_KEY, RUN_KEY
from scoop_journal.store import Store, TablesMissing, read_next
from scoop_journal.view import fold

from scoop_ft.broker.__main__ import INCARNATION

from .disk import PAGE, Disk
from .log import Event, Kind

DISK = frozenset({Kind.WRITING, Kind.WRITTEN, Kind.SYNCING, Kind.SYNCED})
_NEVER = 1 << 62
_META_PAGES = 2


class Commit(NamedTuple):
    """A transaction.

    Attributes
    ----------
    at : int
        Where in the log its meta page is written.
    safe_at : int
        Where in the log that page is synced.
    content : bytes
        A digest of all that the journal holds after it.
    next_seq : int
        The number that the next record gets then.
    """

    at: int
    safe_at: int
    content: bytes
    next_seq: int


class History:
    """The transactions of a log.

    Parameters
    ----------
    events : sequence of Event
    folder : Path
        A scratch folder.

    Attributes
    ----------
    begins : int
        Where in the log the journal was moved to its place.
    final : bytes
        What the file held at the log's end.
    """

    def __init__(self, events: Sequence[Event], folder: Path) -> None:
        self.run = ""
        self.begins = len(events)
        self.commits: list[Commit] = []
        self._events = events
        self._folder = folder
        disk = Disk()
        for at, event in enumerate(events):
            disk = step(disk, event)
            if event.kind is Kind.RENAMED and event.data.endswith(b"/journal"):
                self.begins = at
            elif event.kind is Kind.WRITING and event.offset < _META_PAGES * PAGE:
                self._commit(at, disk)
        self.final = disk.whole()
        shutil.rmtree(folder)

    def _commit(self, at: int, disk: Disk) -> None:
        safe_at = self._safe_at(at)
        if not safe_at:
            return  # its write failed
        self._folder.mkdir(exist_ok=True)
        (self._folder / "data.mdb").write_bytes(disk.whole())
        try:
            store = Store(self._folder, map_size=1 << 30, write=False, lock=False)
        except TablesMissing:
            return  # it is being made
        try:
            with store.snapshot() as snapshot:
                if snapshot.meta(NEXT_KEY) is None:
                    return  # it is being made
                next_seq = read_next(snapshot.meta(NEXT_KEY) or b"")
                self.run = bytes(unpack_named(RUN_KEY, snapshot.meta(RUN_KEY) or b"")).decode()
                blob = snapshot.blob(INCARNATION)
                digest = Digest(
                    None if blob is None else bytes(unpack_named(INCARNATION, blob)), next_seq
                )
                for _ in digest.watch(fold(snapshot.items(0))):
                    pass
        finally:
            store.close()
        self.commits.append(Commit(at, safe_at, digest.value(), next_seq))

    def _safe_at(self, at: int) -> int:
        """Return where the write that begins there is synced; 0 when it fails."""
        syncing = False
        written = False
        for place in range(at + 1, len(self._events)):
            event = self._events[place]
            if event.kind is Kind.WRITTEN and not written:
                written = True
                if event.result < 0:
                    return 0
                if event.direct:
                    return place
            elif event.kind is Kind.SYNCING:
                syncing = written
            elif event.kind is Kind.SYNCED and syncing:
                return place if event.result >= 0 else _NEVER
            elif event.kind is Kind.BEGUN and not written:
                return _NEVER
        return _NEVER

    def possible(self, at: int) -> tuple[int, int]:
        """Return the last commit that must be there after a cut, and the last that may be.

        Parameters
        ----------
        at : int
            The last event of the log that happened before the cut.
        """
        must = may = -1
        for number, commit in enumerate(self.commits):
            if commit.safe_at <= at:
                must = number
            if commit.at <= at:
                may = number
        return must, may


def step(disk: Disk, event: Event) -> Disk:
    """Let an event happen to a disk; return the disk, a new one when a new file is begun."""
    if event.kind is not Kind.OPENED:
        disk.happen(event)
        return disk
    path, content = event.data[: event.offset], event.data[event.offset :]
    if not content and not event.direct and path.split(b"/")[-2].startswith(b"."):
        return Disk(disk.lie)
    if event.result >= 0:
        disk.meet(content)
    return disk


class Digest:
    """A digest of all that a journal holds.

    Parameters
    ----------
    incarnation : bytes or None
        The one value that a broker keeps by name.
    next_seq : int
    """

    def __init__(self, incarnation: bytes | None, next_seq: int) -> None:
        self._hash = hashlib.blake2b(repr((incarnation, next_seq)).encode(), digest_size=16)

    def watch(self, records: Iterable[tuple[int, Record]]) -> Iterator[tuple[int, Record]]:
        """Hand records on, taking each into the digest."""
        for seq, record in records:
            buffers = (record.payload, *record.buffers)
            sizes = [len(record.header), *map(len, buffers)]
            self._hash.update(repr((seq, record.kind, sizes)).encode() + record.header)
            for buffer in buffers:
                self._hash.update(buffer)
            yield seq, record

    def value(self) -> bytes:
        """Return the digest of what was watched."""
        return self._hash.digest()
