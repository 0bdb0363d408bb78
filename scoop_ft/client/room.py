"""Room for results that nobody has taken yet: how many bytes of them the broker may send.

Results that somebody holds weigh; when they are let go of, there is room for others.  Counts only;
who says the credit is `session`.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .handlers import whole

STEPS: Final = 8  # parts of the room of which the broker is told: never a message for each result


class Weight:
    """Tells, when nobody holds it any more, that so many bytes are gone."""

    __slots__ = ("_gone", "_size")

    def __init__(self, size: int, gone: deque[int]) -> None:
        self._size = size
        self._gone = gone

    @whole
    def __del__(self) -> None:
        self._gone.append(self._size)


class Room:
    """The room of one session.

    Attributes
    ----------
    size : int
        With results of so many bytes in memory, untaken, no more are asked for; 0: as they come.
    waits : int
        How many wait for results: then more are asked for all the same, for those that have come
        may be none of theirs.
    said : int
        The credit that the broker knows of, on the present connection.
    """

    def __init__(self) -> None:
        self.size = 0
        self.waits = 0
        self.said = 0
        self._held = 0  # bytes of results that somebody holds,
        self._gone: deque[int] = deque()  # and of those that nobody does any more
        self._received = 0  # on this connection

    def connect(self) -> None:
        """A new connection begins."""
        self._received = 0
        self.said = self.credit() if self.size else 0

    def receive(self, size: int) -> None:
        """So many bytes of results have come on this connection, for whomever."""
        self._received += size

    def hold(self, size: int) -> Weight:
        """Return what those hold who may take results of so many bytes."""
        self._held += size
        return Weight(size, self._gone)

    def held(self) -> int:
        """Return how many bytes of results somebody holds."""
        while self._gone:
            self._held -= self._gone.popleft()
        return self._held

    def credit(self) -> int:
        """Return how many bytes of results may come on this connection in all."""
        held = self.held()
        free = self.size if self.waits else self.size - held
        return max(self._received + free, 1)

    def is_more_than_said(self) -> bool:
        """Is there so much more room than the broker knows of that it is worth a message?"""
        return bool(self.size) and self.credit() - self.said >= self.size / STEPS
