"""Which workers hold which tasks of a batch, found by task.

A batch may be with ten thousand workers at once: who asks about some of its tasks must not look at
all of them.  Bookkeeping for `Peer`, which alone changes it; no I/O, no clock.
"""

from __future__ import annotations

from bisect import bisect_left, insort


class Holders:
    """The leases on one batch, whoever has them."""

    __slots__ = ("_leases", "_longest")

    def __init__(self) -> None:
        self._leases: list[tuple[int, int, bytes]] = []  # start, stop, session, in order
        self._longest = 0  # that there was: none that begins earlier than this reaches a task

    def __bool__(self) -> bool:
        return bool(self._leases)

    def add(self, start: int, stop: int, session: bytes) -> None:
        """A session has a lease on these tasks now."""
        insort(self._leases, (start, stop, session))
        self._longest = max(self._longest, stop - start)

    def remove(self, start: int, stop: int, session: bytes) -> None:
        """A session no longer has just this lease."""
        del self._leases[bisect_left(self._leases, (start, stop, session))]
        if not self._leases:
            self._longest = 0

    def of(self, start: int, stop: int) -> list[bytes]:
        """Return the sessions with a lease on any of these tasks, in order of their names."""
        found = set()
        for at in range(bisect_left(self._leases, (start - self._longest,)), len(self._leases)):
            low, high, session = self._leases[at]
            if low >= stop:
                break
            if high > start:
                found.add(session)
        return sorted(found)

    def leases(self) -> list[tuple[int, int, bytes]]:
        """Return all leases, in order of their tasks."""
        return list(self._leases)

    def all(self) -> list[bytes]:
        """Return all sessions with a lease on the batch, in order of their names."""
        return sorted({session for _, _, session in self._leases})
