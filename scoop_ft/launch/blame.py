"""Whose doing it is that a worker left before its task had ended: the task's, or somebody else's.

A worker leaves on SIGTERM, whoever sends it: somebody who wants it gone, and then no task is to
blame; or its own task, which would be tried without end if nobody counted.  Counts; no I/O, no
clock.
"""

from __future__ import annotations

import signal
from typing import Final

from .effects import Sight

ENDS_UNASKED: Final = 10  # with the same task running: then it is the task that asks for them
TASKS_KNOWN: Final = 1_000  # of which such ends are counted


class Unasked:
    """The ends of workers that nobody here has asked for, by the task that ran."""

    def __init__(self) -> None:
        self._ends: dict[bytes, int] = {}

    def is_abrupt(self, sight: Sight, code: int, by: int, *, leaving: bool) -> bool:
        """Tell whether a worker that seems to have ended in good order was ended by its task.

        Parameters
        ----------
        sight : Sight
            The last that was seen of it.
        code, by : int
            Its exit code; the signal that ended it.
        leaving : bool
            The agent has told its workers to end.
        """
        if code or by or not sight.task:
            return False
        if leaving or sight.retired or not sight.left:
            return not sight.left
        return self._asks_for_it(sight.task)

    def was_sent_away(self, sight: Sight, by: int, *, leaving: bool) -> bool:
        """Tell whether a worker was killed as it should leave: that is not its task's fault.

        The task lets no thread answer SIGTERM, or has put the system's own handler in our place.
        """
        if leaving:
            return by in (signal.SIGTERM, signal.SIGKILL)
        return by == signal.SIGTERM and not self._asks_for_it(sight.task)

    def _asks_for_it(self, task: bytes) -> bool:
        """Tell whether so many workers were sent away with a task that it must be what does it."""
        ends = self._ends.pop(task, 0) + 1
        self._ends[task] = ends  # the last one now: the first is forgotten
        if len(self._ends) > TASKS_KNOWN:
            del self._ends[next(iter(self._ends))]
        return ends >= ENDS_UNASKED
