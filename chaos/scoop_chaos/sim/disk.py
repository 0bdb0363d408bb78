"""The journal's disk: slow to sync, full, failing, and forgetful when the power goes.

The journal is the product's `MemoryJournal`; a sync that takes time may be cut by a crash, and then
has happened or not.
"""

from __future__ import annotations

from collections.abc import Callable

from scoop_journal import JournalFull, MemoryJournal

from .clock import Clock


class SimJournal(MemoryJournal):
    """A journal whose commits take time.

    Parameters
    ----------
    run : str
    clock : Clock
    took : callable
        Says, for each commit, how many seconds it takes.

    Attributes
    ----------
    syncing_until : float
        The end of the last sync.
    """

    def __init__(self, run: str, clock: Clock, took: Callable[[], float]) -> None:
        super().__init__(run)
        self._clock = clock
        self._took = took
        self.syncing_until = 0.0
        self.on_commit: Callable[[], None] = lambda: None
        self.on_torn: Callable[[], None] = lambda: None  # a commit that failed has left something
        self._before: tuple[dict[int, bytes], dict[bytes, bytes], int] | None = None

    def commit(self) -> int:
        """Commit, and say how long that took."""
        dirty = self.dirty
        stored = self._stored
        before = (dict(stored.records), dict(stored.blobs), stored.next_seq) if dirty else None
        try:
            last = super().commit()
        except JournalFull:
            if (stored.records, stored.blobs, stored.next_seq) != before:
                self.on_torn()
            raise
        self.last_commit_seconds = 0.0
        if dirty:
            self._before = before
            self.last_commit_seconds = self._took()
            self.syncing_until = self._clock.now + self.last_commit_seconds
            self.on_commit()
        return last

    @property
    def synced_seq(self) -> int:
        """The number below which everything is on disk."""
        return self._stored.next_seq

    def as_on_disk(self) -> MemoryJournal:
        """Return what somebody who opens it after a crash at this moment finds."""
        found = MemoryJournal(self.run)
        stored, mine = found._stored, self._stored
        stored.records, stored.blobs = dict(mine.records), dict(mine.blobs)
        stored.next_seq = mine.next_seq
        found.crash()
        return found

    def undo(self) -> None:
        """The last commit was still being written when the power went: it has not happened."""
        if self._before is not None:
            stored = self._stored
            stored.records, stored.blobs, stored.next_seq = self._before
            self._before = None

    def fill(self, left: int) -> None:
        """Somebody else's files leave so many bytes."""
        self.capacity = self.size_bytes + left
