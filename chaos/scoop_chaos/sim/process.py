"""Processes that are greenlets: they start, block, freeze, thaw and die; nothing else.

The code of a process runs until it blocks, and no time passes meanwhile.  What a killed process
would have done next is never done: its greenlets are unwound with nothing left to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import greenlet

from scoop_ft.client import runtime as runtime_of

from .clock import Clock


class Process:
    """One process.

    Parameters
    ----------
    clock : Clock
    name : str
        What it is called in traces.
    host : str
        The machine it is on; partitions and clocks are those of machines.

    Attributes
    ----------
    runtime : Runtime or None
        What `scoop_ft.futures` finds when it runs here.
    """

    def __init__(self, clock: Clock, name: str, host: str) -> None:
        self.clock = clock
        self.name = name
        self.host = host
        self.alive = True
        self.frozen = False
        self.runtime: Any = None
        self.failure: BaseException | None = None
        self.on_end: Callable[[], None] = lambda: None
        self.polling = False  # blocked, and an arrival ends that
        self.working = False  # blocked in user code
        self.deaf = False  # no other thread of it can run
        self.slow = 1.0
        self._hub = greenlet.getcurrent()
        self._blocked: greenlet.greenlet | None = None
        self._greenlets: set[greenlet.greenlet] = set()
        self._token = 0
        self._owed: list[Callable[[], None]] = []

    # ---- the life of its code --------------------------------------------------------------

    def start(self, main: Callable[[], None], delay: float) -> None:
        """Let its main function begin after some time."""

        def run() -> None:
            try:
                main()
            except greenlet.GreenletExit:
                return
            except BaseException as error:  # noqa: BLE001 - reported as what it is: a defect
                self._fail(error)
                return
            if self.alive:
                self.on_end()

        first = greenlet.greenlet(run, self._hub)
        self._blocked = first
        token = self._token
        self.clock.after(delay, lambda: self._wake(token))

    def _fail(self, error: BaseException) -> None:
        if self.alive:
            self.failure = error
            self.on_end()

    def block(self, until: float | None, *, polling: bool = False) -> None:
        """Called by its code: give way until a time, or until `wake`."""
        me = greenlet.getcurrent()
        self._greenlets.add(me)
        self._token += 1
        self._blocked = me
        self.polling = polling
        if until is not None:
            token = self._token
            self.clock.at(until, lambda: self._wake(token))
        self._hub.switch()
        if not self.alive:
            raise greenlet.GreenletExit

    def work(self, seconds: float, *, deaf: bool = False) -> None:
        """Called by user code: compute for so long; ``deaf`` lets no other thread run meanwhile."""
        if not self.alive:
            raise greenlet.GreenletExit
        if seconds <= 0:
            return
        self.working, self.deaf = True, deaf
        self.block(self.clock.now + seconds * self.slow)
        self.working = self.deaf = False
        if deaf:
            owed, self._owed = self._owed, []
            for call in owed:
                self.clock.after(0.0, call)

    def wake(self) -> None:
        """Something has come: end a poll."""
        if self.polling:
            self._wake(self._token)

    def _wake(self, token: int) -> None:
        if token != self._token or not self.alive or self._blocked is None:
            return
        if self.frozen:
            self._owed.append(lambda: self._wake(token))
            return
        blocked, self._blocked = self._blocked, None
        self.polling = False
        self.enter()
        blocked.switch()
        runtime_of._current = None

    def run_aside(self, call: Callable[[], None]) -> None:
        """Another thread of this process does something (it must not block)."""
        if not self.alive:
            return
        if self.frozen or self.deaf:
            self._owed.append(lambda: self.run_aside(call))
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 - reported as what it is: a defect
            self._fail(error)

    def enter(self) -> None:
        """What runs from here on runs in this process."""
        runtime_of._current = self.runtime

    # ---- signals ---------------------------------------------------------------------------

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        if not self.frozen:
            return
        self.frozen = False
        owed, self._owed = self._owed, []
        for call in owed:
            call()

    def kill(self) -> None:
        """SIGKILL."""
        self.alive = False
        self.frozen = False

    def adopt(self, other: greenlet.greenlet) -> None:
        """Free this one too when the process is unwound."""
        self._greenlets.add(other)

    def unwind(self) -> None:
        """Free the greenlets of a dead process."""
        assert not self.alive
        for each in self._greenlets:
            for _ in range(8):
                if each.dead or not each:
                    break
                each.throw(greenlet.GreenletExit)
        self._greenlets.clear()
        self._owed.clear()
        self._blocked = None
