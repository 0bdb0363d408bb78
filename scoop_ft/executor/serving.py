"""The thread that brings results to an executor's futures, and what it is asked by others.

It waits at the link; what has come it puts into the futures, whose callbacks it runs.  What else
is to be done now and then (watching a process) its owner gives it.  It decides nothing about tasks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ..client.groups import Chunk, Single, outcome
from ..client.runtime import Runtime
from ..client.scopes import Part
from ..errors import CancelledError
from ..wire import messages as wire
from .arrivals import Arrivals
from .future import Future
from .link import ServedLink

GATHER_S: Final = 0.003  # how long a batch waits for more calls while nobody waits for a result
LOOK_S: Final = 0.25  # how often the owner's look is due


class Server:
    """Serves the futures of one executor.

    Parameters
    ----------
    runtime : Runtime
        Of the run that the calls go to.
    look : callable
        Called every now and then; raises BrokenRun when nothing can come any more.
    at_end : callable
        Called in this thread when it was told to end and nothing is waited for.
    """

    def __init__(
        self, runtime: Runtime, look: Callable[[], None], at_end: Callable[[], None]
    ) -> None:
        self.runtime = runtime
        self.arrivals = Arrivals(runtime.link.state)
        self.broken: BaseException | None = None
        self.thread = 0
        self.translate: Callable[[BaseException], BaseException] = lambda error: error
        self._look = look
        self._at_end = at_end
        self._told_to_end = False
        self._at_once = False
        self._held = 0
        self._opened = 0.0  # when the open batch got its first call
        self._others: list[Part] = []  # what `map` has submitted, besides the futures
        self._thread = threading.Thread(target=self._serve, name="scoop-ft-executor", daemon=True)

    # ---- for other threads -------------------------------------------------------------------

    def start(self) -> None:
        """Begin.  Whoever holds these futures sees in which order they end."""
        self.runtime.scope().ordered = False
        with self.runtime.link.state:
            self.runtime.session.room.waits += 1  # its thread takes whatever comes
        self._thread.start()

    def expect(self, group: Any, index: int) -> Future:
        """A call was submitted; return its future."""
        future = Future(self, group.first + index)
        self.arrivals.expect(group, index, future)
        if index == 0:  # a new batch: whoever sleeps at the socket did not know of it
            self._opened = time.monotonic()
            self.runtime.link.wake()
        return future

    def expect_all(self, parts: list[Part]) -> None:
        """Do not end before these are done."""
        self._others = [part for part in self._others if not _is_done(part)] + parts

    def unfinished(self) -> list[int]:
        """Return the ordinals of what is waited for."""
        found = self.arrivals.ordinals()
        for group, first, count in self._others:
            missing = [i for i in range(first, first + count) if not group.done(i)]
            found += [group.first + i for i in missing]
        return sorted(found)

    def hold(self) -> None:
        """Somebody is about to submit: do not end before `let_go`."""
        with self.runtime.link.state:
            self._held += 1

    def let_go(self) -> None:
        """It is submitted."""
        with self.runtime.link.state:
            self._held -= 1

    def hurry(self) -> None:
        """What is submitted shall leave now."""
        self.runtime.flush()

    def is_running(self, ordinal: int) -> bool:
        """Is a call with a worker?"""
        if self.broken is not None:
            return False
        return self.runtime.running(self.runtime.scope(), ordinal)

    def cancel(
        self,
        ranges: list[tuple[int, int]],
        *,
        subtree: bool = False,
        timeout_s: float | None = None,
    ) -> list[tuple[int, int]]:
        """Give calls up, with ``subtree`` also those that run; return which were given up."""
        if self.broken is not None or not ranges:
            return []
        runtime = self.runtime
        scope = runtime.scope()
        runtime.tell(scope)
        with runtime.link.state:
            request = runtime.session.ask(lambda r: wire.Cancel(r, scope.task, ranges, subtree))
        answer: list[tuple[int, int]] | None = runtime._answer(request, timeout_s)
        return answer or []

    def end(self, *, at_once: bool = False) -> None:
        """Let it end when nothing is waited for, or at once."""
        self._at_once = self._at_once or at_once
        self._told_to_end = True
        self.runtime.link.wake()

    def join(self) -> None:
        """Wait for its end."""
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def flush(self) -> None:
        """Send the open batch once it has gathered for a while (the link's, at each pump).

        Each batch costs messages and a change of threads: who submits thousands of calls one by
        one, and waits for none, shall not pay for thousands of batches.
        """
        if time.monotonic() - self._opened >= GATHER_S:
            self.runtime.flush_open()  # type: ignore[attr-defined]

    # ---- the thread --------------------------------------------------------------------------

    def _serve(self) -> None:
        self.thread = threading.get_ident()
        link = self.runtime.link
        if isinstance(link, ServedLink):
            link.server = self.thread
        try:
            while not self._is_over():
                self._round()
        except BaseException as error:  # noqa: BLE001 - those who wait shall hear of it
            self._break(error)
        with link.state:
            self.runtime.session.room.waits -= 1
        self._at_end()

    def _is_over(self) -> bool:
        if not self._told_to_end:
            return False
        return self._at_once or self.is_idle()

    def is_idle(self) -> bool:
        """Is nothing waited for?"""
        return not self.arrivals and not self._held and all(map(_is_done, self._others))

    def _round(self) -> None:
        opened = self.runtime.scope().has_open()
        # A batch that is opened meanwhile is to leave in its time, not after the whole patience.
        self.runtime.link.wait(
            lambda: self._has_work() or self.runtime.scope().has_open() > opened,
            GATHER_S if opened else LOOK_S,
        )
        self._look()
        self._settle()

    def _has_work(self) -> bool:
        return self.arrivals.come() or (self._told_to_end and self._is_over())

    def _settle(self) -> None:
        for future, chunk, position in self.arrivals.take():
            self._put(future, chunk, position)

    def _put(self, future: Future, chunk: Chunk | Single, position: int) -> None:
        """Give a future its result; one that cannot be loaded here is an error of the call."""
        value, error = outcome(chunk, position)
        if isinstance(error, CancelledError):
            future._server = None
            future._was_cancelled()
        else:
            future._ends_with(value, None if error is None else self.translate(error))

    def serve_until(self, future: Future) -> None:
        """Go on serving inside a callback that waits for another future."""
        self.hurry()
        while not future.done():
            self._round()

    def _break(self, error: BaseException) -> None:
        self.broken = error
        for future in self.arrivals.give_up():
            future._ends_with(None, error)
        if not self.runtime.session.ended:
            self.runtime.session.ended = str(error)

    def abandon(self) -> None:
        """Nothing will come any more: whoever waits is told."""
        for future in self.arrivals.give_up():
            future._server = None
            future._was_cancelled()


def _is_done(part: Part) -> bool:
    group, first, count = part
    return group.missing == 0 or all(map(group.done, range(first, first + count)))
