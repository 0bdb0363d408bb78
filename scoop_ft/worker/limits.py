"""The time limit of the task that runs: when it is over is written on the slate.

The agent reads it there and kills this process (`launch.agent`): that ends a task whatever it is
doing.  A task that waits for children does not have the thread: it is ended here, so that nobody
else loses anything; by the link's helper thread when another task has the thread for long.  What
has no limit costs nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from ..ids import short
from ..slate import DEADLINE, Slate
from ..wire.messages import Status
from .session import WorkerSession
from .spans import Span

if TYPE_CHECKING:
    from .runner import Runner

LAST_S: Final = 1.0  # a task that is ended while it waits has this long to clean up
LATE_S: Final = 0.1  # the thread has not come back to it so long after: its result goes without it


class Overdue(BaseException):
    """Thrown into a task whose time limit was over while it waited."""


class Limits:
    """Puts time limits on the slate.

    Parameters
    ----------
    slate : Slate
    session : WorkerSession
    """

    def __init__(self, slate: Slate, session: WorkerSession) -> None:
        self._words = slate.words
        self._session = session
        self._waiting: dict[Runner, None] = {}

    def begin(self, runner: Runner, limit_s: float) -> None:
        """The runner's task begins, and may take so long."""
        runner.told = False
        runner.until = time.monotonic() + limit_s
        self._words[DEADLINE] = int(runner.until * 1e9)

    def end(self, runner: Runner) -> None:
        """The runner's task has ended."""
        self._words[DEADLINE] = 0
        self._waiting.pop(runner, None)  # it was given up while it waited
        runner.until = 0.0
        runner.told = False

    def go_on(self, runner: Runner) -> None:
        """The runner's task has waited, and gets the thread again."""
        now = time.monotonic()
        until = runner.until if runner.until > now else now + LAST_S
        self._words[DEADLINE] = int(until * 1e9)

    def park(self, runner: Runner) -> None:
        """The runner's task begins to wait (link's lock held)."""
        self._waiting[runner] = None
        self._session.on_flush = self._end_late

    def check(self, runner: Runner) -> None:
        """Raise `Overdue` in a task that has waited too long."""
        self._waiting.pop(runner, None)
        if time.monotonic() >= runner.until:
            raise Overdue

    def _end_late(self) -> None:
        """Report what should have been ended since (link's lock held, in any thread)."""
        now = time.monotonic()
        for runner in list(self._waiting):
            if runner.parked and runner.span is not None and now > runner.until + LATE_S:
                self._waiting.pop(runner, None)
                runner.told = True
                story = self.story(runner.span, runner.index)
                self._session.finish(runner.span, (runner.index, int(Status.LOST), story, []))
        if not self._waiting:
            self._session.on_flush = None

    def story(self, span: Span, index: int) -> bytes:
        """Return the result of a task that was ended here."""
        return msgspec.msgpack.encode(
            {
                "task": f"{short(span.batch)}:{index}",
                "function": self._session.functions.name(span.function(index)),
                "attempts": 1,
                "signal": 0,
                "how": "its time limit was over",
                "host": self._session.host,
                "memory": 0,
                "stderr": "",
                "limit": span.time_limit_s,
                "waited": True,
            }
        )
