"""For how long no broker has answered an agent: when to say so, and when to give up.

Looked at again and again.  A long pause between two looks is a sleep of this process or of its
machine: what the broker did meanwhile is not known, so it has all the time anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import Final

LONELY_S: Final = 3.0  # so long nobody wonders
ASLEEP_S: Final = 5.0


class News(Enum):
    """What is to be said now."""

    LONELY = "no broker answers"
    BACK = "it answers again"
    OVER = "there has been none for too long"


class Silence:
    """Counts the time without a broker.

    Parameters
    ----------
    limit_s : float
        After which it is over; infinite: never.  Also an attribute.
    clock : callable
        The time in seconds.  That of day goes on while a machine sleeps; one that is set looks like
        a sleep.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.time) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._since = self._looked_at = clock()
        self._told = False

    def look(self, answers: bool) -> News | None:
        """Tell whether there is a broker; return what is news about that."""
        now = self._clock()
        if answers or not 0 <= now - self._looked_at <= ASLEEP_S:
            self._since = now
        self._looked_at = now
        if answers:
            told, self._told = self._told, False
            return News.BACK if told else None
        if now - self._since > self.limit_s:
            return News.OVER
        if not self._told and now - self._since > LONELY_S:
            self._told = True
            return News.LONELY
        return None
