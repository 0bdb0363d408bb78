"""The journal's disk: slow to sync, full, failing, and forgetful when the power goes.

The journal is the product's `MemoryJournal`; a sync that takes time may be cut by a crash, and then
has happened or not.
"""

from __future__ import annotations

from collections.abc import Callable

from scoop_journal import MemoryJournal


class SimJournal(MemoryJournal):
    """A journal whose commits take time.

    Parameters
    ----------
    run : str
    took : callable
        Says, for each commit, how many seconds it takes.
    """

    def __init__(self, run: str, took: Callable[[], float]) -> None:
        super().__init__(run)
        self._took = took
        self.commits = 0
        self.lie = False  # a mutant's: commit says that it has synced, and has not
        self._before: tuple[dict[int, bytes], dict[bytes, bytes], int] | None = None

    def commit(self) -> int:
        """Commit, and say how long that took."""
        dirty = self.dirty
        stored = self._stored
        before = (dict(stored.records), dict(stored.blobs), stored.next_seq) if dirty else None
        last = super().commit()
        self.last_commit_seconds = 0.0
        if dirty:
            self._before = before
            self.commits += 1
            self.last_commit_seconds = self._took()
        return last

    @property
    def synced_seq(self) -> int:
        """The number below which everything is on disk."""
        return self._stored.next_seq

    def undo(self) -> None:
        """The last commit was still being written when the power went: it has not happened."""
        if self._before is not None:
            stored = self._stored
            stored.records, stored.blobs, stored.next_seq = self._before
            self._before = None

    def fill(self, left: int) -> None:
        """Somebody else's files leave so many bytes."""
        self.capacity = self.size_bytes + left
