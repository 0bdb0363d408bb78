"""Says when a task stands still while another of its process waits for the thread.

Tasks of a worker have one thread.  Who waits for results lets others run, and goes on when they
let go of the thread.  One that waits for what only a waiting task can give, as a lock that it
holds, never does: neither ends, and nothing else would tell.  Only says it: a task that waits for a
program of its own looks the same, unless `subprocess` tells.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from ..code.own import is_own_place
from ..ids import short

if TYPE_CHECKING:
    from .runner import Crew, Runner

STILL_S: Final = 30.0  # so long nobody wonders
LOOK_S: Final = 1.0
AT_WORK: Final = 0.1  # of the time, by which its thread computes: it does not stand still


class Stuck:
    """Looks at a crew now and then, from another thread than its main one.

    Parameters
    ----------
    crew : Crew
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._look_at = 0.0
        self._task: tuple[bytes, int] | None = None  # which others wait for, since
        self._since = self._computed = 0.0
        self._said: set[str] = set()  # functions: one line for each is enough

    def look(self) -> None:
        """Say it, when it is time."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        active, waiting = self._crew.active, next(iter([*self._crew.ready]), None)
        task = _task(active) if waiting is not None else None
        computed, took = _computed_s(), now - self._since
        if task is None or task != self._task or computed - self._computed > AT_WORK * took + 0.1:
            self._task, self._since, self._computed = task, now, computed
        elif took >= STILL_S and active is not None and waiting is not None:
            self._say(active, waiting, took)

    def _say(self, active: Runner, waiting: Runner, still_s: float) -> None:
        who, other, place = self._name(active), self._name(waiting), _place()
        if not who or not other or place is None or who.split()[0] in self._said:
            return
        self._said.add(who.split()[0])
        print(
            f"scoop-ft: {who} has stood still{place} for {still_s:.0f} s in the worker with pid "
            f"{os.getpid()}, where {other}, whose results have come, cannot go on before; "
            "if it waits for a lock that the other holds, neither ends: stop the run, hold no lock "
            "while waiting for futures, and resume",
            file=sys.__stderr__,  # it may have put something of its own in its place
            flush=True,
        )

    def _name(self, runner: Runner) -> str:
        """Return a task's function and its name in `status`; empty if it has just ended."""
        span, index = runner.span, runner.index
        if span is None:
            return ""
        function = self._crew.session.functions.name(span.function(index))
        return f"{function} (task {short(span.batch)}:{index})"


def _task(runner: Runner | None) -> tuple[bytes, int] | None:
    span = None if runner is None else runner.span
    return None if runner is None or span is None else (span.batch, runner.index)


def _computed_s() -> float:
    """Return for how long the main thread has computed; where the system does not say, never."""
    main = threading.main_thread().ident
    if main is None or not hasattr(time, "pthread_getcpuclockid"):
        return 0.0
    return time.clock_gettime(time.pthread_getcpuclockid(main))


def _place() -> str | None:
    """Say where the main thread is in the user's own code; None: it waits for another program."""
    frame: Any = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_globals.get("__name__") == "subprocess":
            return None
        folder, file = os.path.split(frame.f_code.co_filename)
        if folder and is_own_place(str(frame.f_globals.get("__name__", "")), folder):
            return f" at {file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
