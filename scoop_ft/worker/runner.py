"""Runs tasks: one greenlet a task that waits, one for all that do not.

The hub is the main greenlet: it hands the thread to runners and, when there is nothing to run,
waits at the socket.  A runner takes pieces from the queue and runs their tasks one after another;
only when a task waits for its children does it stand aside, and another runner goes on.

All of it happens in the main thread.  The link's lock is never held while user code runs.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import greenlet

from ..client.groups import Group
from ..client.handlers import whole
from ..client.link import Link
from ..client.scopes import Scope
from ..ids import task_id
from ..slate import BESIDE, CANCELLED, DONE, RETIRE_AT, RETIRED, Slate
from ..wire.messages import SpanRef
from . import apart
from .calls import Abandoned, Calls, lineage_of
from .limits import Limits
from .session import WorkerSession
from .spans import Piece, Span
from .tray import Tray

if TYPE_CHECKING:
    from .seeding import Seeding


LOOK_S: Final = 0.001  # who has nothing waits for what is asked back from here
TICK_S: Final = 0.015  # so long results may wait while tasks run; a look takes some 0.2 ms

#: Where a folder is not there any more, others stay where they are.  Made once: tasks often wait.
_UNLESS_GONE: Final = contextlib.suppress(OSError)


class Runner(greenlet.greenlet):
    """A greenlet that runs tasks.

    Attributes
    ----------
    span, index
        The task it is at.
    scope : Scope or None
        That task as a parent, once it has submitted something.
    waited : bool
        The task has waited: what it took says nothing about its function.
    """

    def __init__(self, crew: Crew) -> None:
        super().__init__(crew.run_pieces, crew.hub)
        self.gr_context = apart.copy(crew.context)
        crew.runners.append(self)
        self.span: Span | None = None
        self.index = 0
        self.scope: Scope | None = None
        self.piece: Piece | None = None
        self.parked = False
        self.waited = False
        self.tray: Tray | None = None  # where its result will lie, if it only returns something
        self.dropped_on = 0  # the connection on which it was said that nobody wants its task
        self.until = 0.0  # when the task's time limit is over; 0: it has none
        self.told = False  # that it was over while the task waited
        self.cut_off = False  # it was told: what it returns or raises then is no result
        self.place = apart.place()  # as its task has found the process
        self.callbacks: deque[Callable[[], None]] = deque()
        self.rouse: Callable[[], None] = functools.partial(crew.wake, self)

    def look(self) -> None:
        """Raise `Abandoned` when nobody wants the task any more."""
        span = self.span
        if span is not None and span.given_up and span.gives_up(self.index):
            self.cut_off = True
            raise Abandoned


class Crew:
    """All runners of a worker, and the hub.

    Parameters
    ----------
    session : WorkerSession
    link : Link
    slate : Slate
    """

    def __init__(self, session: WorkerSession, link: Link, slate: Slate) -> None:
        self.session = session
        self.link = link
        link.tick_s = TICK_S
        self.hub = greenlet.getcurrent()
        self.ready: deque[Runner] = deque()
        self._slate = slate
        self._words = slate.words
        self.runners: list[Runner] = []  # all there are: one more only when a task waits
        self._spare: list[Runner] = []
        self._yielded: deque[Runner] = deque()
        self._parked: set[Runner] = set()
        self._parents: dict[bytes, Runner] = {}  # those whose tasks have submitted, by task
        self._deadlines: list[tuple[float, int, Runner]] = []
        self._tickets = 0
        self._looked = 0.0  # at the socket
        self.leaving = False
        self.retiring = False  # it leaves since it has done its share: nothing presses
        self.active: Runner | None = None  # the one that has the thread
        self.forked = False  # this is a child that a task has forked: it runs no tasks
        self.seeding: Seeding | None = None  # in a run whose seed was given
        self.context = contextvars.copy_context()  # what each runner begins with
        self.limits = Limits(slate, session)
        self.calls = Calls(self, slate)
        self._waiters: dict[Runner, None] = {}  # in order: what is done in which order is no dice
        session.on_abandon = self._abandon
        session.on_event = self.wake_waiters

    # ---- the hub ---------------------------------------------------------------------------

    def run(self) -> None:
        """Run tasks until the session has ended."""
        session = self.session
        while not session.ended and not self.leaving:
            if self._deadlines:
                self._expire()
            if self.ready:
                self._resume(self.ready.popleft())
            elif session.may_begin():
                session.idle = False
                before = len(self._yielded)  # the runner may yield too, before all else has run
                self._give_thread(self._spare.pop() if self._spare else Runner(self))
                for _ in range(before):
                    self._resume(self._yielded.popleft())
            elif self._yielded:
                # Who asks again and again whether something is so may wait for what runs nowhere:
                # there is room for it here.
                session.idle = not len(session.queue)
                self._resume(self._yielded.popleft())
                session.idle = False
            else:
                self._wait()

    def _resume(self, runner: Runner) -> None:
        span = runner.span
        if span is not None:
            self._slate.start(span.batch, runner.index)
            if runner.until:
                self.limits.go_on(runner)
        self._give_thread(runner)

    def _give_thread(self, runner: Runner) -> None:
        self.active = runner
        runner.switch()
        self.active = None

    def at_work(self) -> tuple[bytes, int] | None:
        """Return the task that has the main thread; None: no task has it (asked there)."""
        runner = greenlet.getcurrent()
        if not isinstance(runner, Runner) or runner.span is None:
            return None
        return runner.span.batch, runner.index

    def may_save(self) -> bool:
        """Does a task compute just now that saves its state from time to time?

        Asked by another thread.
        """
        runner = self.active
        scope = None if runner is None else runner.scope
        keeper = None if scope is None else scope.keeper
        return keeper is not None and (keeper.first is not None or keeper.saves > 0)

    def _wait(self) -> None:
        self._slate.pause()
        session = self.session
        session.idle = not len(session.queue)
        left = max(self._deadlines[0][0] - time.monotonic(), 0.0) if self._deadlines else None
        self.link.idle()
        try:
            self.link.wait(self._something, left)
        finally:
            self.link.busy()
        session.idle = False

    def _something(self) -> bool:
        session = self.session
        if self.ready or session.may_begin() or session.ended or self.leaving or self._retires():
            return True
        session.idle = not len(session.queue)  # what had come was taken back before it began
        return False

    def _retires(self) -> bool:
        """Leave if it is time for another process to take this one's place, and nobody waits here.

        Asked between two tasks.
        """
        words = self._words
        if not 0 < words[RETIRE_AT] <= words[DONE] or self.session.running or self.leaving:
            return self.leaving
        words[RETIRED] = 1
        self.retiring = self.leaving = True
        return True

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            runner = heapq.heappop(self._deadlines)[2]
            self.wake(runner)

    # ---- waiting (called in a runner) ----------------------------------------------------------

    @whole
    def wait(
        self, ready: Callable[[], bool], groups: Iterable[Group], timeout_s: float | None
    ) -> bool:
        """Let others run until something is so; False when the time is over."""
        runner = self.current()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        watched = tuple(groups)
        with self.link.state:
            for group in watched:
                group.watchers.append(runner.rouse)
            if watched:
                self.session.room.waits += 1
            else:
                self._waiters[runner] = None
        others_ran = False
        try:
            while True:
                if runner.callbacks:
                    self._run_callbacks(runner)
                with self.link.state:
                    if ready():
                        return True
                    if runner.callbacks:
                        continue
                    runner.look()
                    late = deadline is not None and time.monotonic() >= deadline
                    if late and others_ran:
                        return False
                    if not late:
                        self._park(runner, deadline)
                if late:
                    self.breathe()  # who asks again and again, without waiting, gets his answer
                else:
                    self._switch_away(runner)
                others_ran = True
        finally:
            with self.link.state:
                for group in watched:
                    group.watchers.remove(runner.rouse)
                self.session.room.waits -= bool(watched)
                self._waiters.pop(runner, None)

    @whole
    def breathe(self) -> None:
        """Let others run for a moment: this task asks again and again whether something is so."""
        runner = self.current()
        with self.link.state:
            self.session.room.waits += 1
            asks = self.session.has_more_room()  # what it asks about may have to be asked for
        try:
            if asks or time.monotonic() - self.link.last_pump > TICK_S:
                self.link.pump(0.0)
            with self.link.state:
                if runner.piece is not None:
                    self.session.queue.give_back(runner.piece)
            self._yielded.append(runner)
            self._switch_away(runner)
        finally:
            with self.link.state:
                self.session.room.waits -= 1

    def wake(self, runner: Runner) -> None:
        """A parked runner should look again."""
        if runner.parked:
            runner.parked = False
            self._parked.discard(runner)
            self.ready.append(runner)

    def wake_waiters(self) -> None:
        """Those who wait for something else than results should look again."""
        for runner in list(self._waiters):
            self.wake(runner)

    def _park(self, runner: Runner, deadline: float | None) -> None:
        if runner.piece is not None:
            self.session.queue.give_back(runner.piece)
        runner.parked = True
        runner.waited = True
        self._parked.add(runner)
        if runner.until:
            deadline = runner.until if deadline is None else min(deadline, runner.until)
            self.limits.park(runner)
        if deadline is not None:
            self._tickets += 1
            heapq.heappush(self._deadlines, (deadline, self._tickets, runner))

    def _switch_away(self, runner: Runner) -> None:
        self._slate.pause()
        left, began, loop = apart.place(), runner.place, apart.stop_loop()
        with _UNLESS_GONE:
            apart.put_back(began, left)
        self.hub.switch()
        if self.seeding is not None:
            self.seeding.take(runner)
        if loop is not None:
            loop.go_on()
        runner.place = apart.place()  # others may have left it otherwise than it was before
        try:
            apart.put_back(left, runner.place)  # is its folder gone, the task hears of it
        finally:
            runner.look()
            if runner.until:
                self.limits.check(runner)

    def _abandon(self, spans: list[SpanRef], cancelled: bool) -> None:
        """Running tasks are not wanted any more: those that wait are ended when they look."""
        batches = {batch for batch, _, _ in spans}
        # Thousands may wait, one below the other, and as they end each is said by itself.
        runners = [r for r in self.runners if r.span is not None and r.span.batch in batches]
        for runner in runners:
            assert runner.span is not None
            self._abandon_some(runner, runner.span, spans)
        if cancelled:
            self._tell_agent(spans)

    def _tell_agent(self, cancelled: list[SpanRef]) -> None:
        """The task that has the thread may hang: the agent ends it, and what waits here with it."""
        active = self.active
        if active is None or active.span is None:
            return
        name, index = active.span.batch, active.index
        if any(batch == name and start <= index < stop for batch, start, stop in cancelled):
            others = (r for r in self.runners if r is not active)
            beside = any(r.span is not None and not r.span.gives_up(r.index) for r in others)
            self._words[BESIDE] = beside
            self._words[CANCELLED] = index + 1

    def _abandon_some(self, runner: Runner, span: Span, spans: list[SpanRef]) -> None:
        ranges = [(start, stop) for batch, start, stop in spans if batch == span.batch]
        if not ranges:
            return
        span.given_up += ranges  # one that runs now sees it when it next submits or waits
        runner.dropped_on = self.session.connections
        if runner.scope is not None and span.gives_up(runner.index):
            # The answer is on its way: what followed it in this task's name would be taken
            # for its next attempt's, which may be given to this very worker.
            self.session.end(runner.scope, abandoned=True)
        self.wake(runner)

    def current(self) -> Runner:
        """Return the runner of the task that calls: it does more than return something."""
        runner = greenlet.getcurrent()
        if self.forked:
            raise RuntimeError(
                "a process that a task has forked cannot use the task's futures: wait for them "
                "in the task itself"
            )
        if not isinstance(runner, Runner):
            raise RuntimeError(
                "futures, checkpoints and durable steps can be used in the thread that runs the "
                "task only, not in a thread that the task has started"
            )
        if runner.tray is not None:
            self._stand_out(runner, runner.tray)
        return runner

    def _stand_out(self, runner: Runner, tray: Tray) -> None:
        assert runner.span is not None
        with self.link.state:
            task = task_id(runner.span.batch, runner.index)
            self.session.running[task] = runner.span, runner.index
            tray.close()
            runner.tray = None

    @whole
    def scope(self) -> Scope:
        """Return the task that calls, as a parent."""
        runner = self.current()
        runner.look()
        if runner.scope is None:
            span = runner.span
            assert span is not None
            task = task_id(span.batch, runner.index)
            replayed = runner.index in span.replayed
            scope = Scope(task, lineage_of(span, runner.index), replayed=replayed)
            scope.time_limit_s = span.time_limit_s
            with self.link.state:
                runner.look()  # it may have been given up just now
                self.session.scopes[task] = scope
                self._parents[task] = runner
                runner.scope = scope
        return runner.scope

    # ---- running -----------------------------------------------------------------------------

    def run_pieces(self) -> None:
        """What a runner does all its life."""
        runner = self.current()
        session, link, words = self.session, self.link, self._words
        while True:
            with link.state:
                stands_aside = self.ready or self.leaving or not session.may_begin()
                piece = None if stands_aside else session.queue.take()
            if piece is None:
                self._spare.append(runner)
                runner.piece = None
                runner.span = None
                if self.seeding is not None:
                    self.seeding.give_up(runner)
                self.hub.switch()
                continue
            runner.piece = piece
            self.calls.run(runner, piece)
            if words[RETIRE_AT]:
                self._retires()
            now = time.monotonic()
            if now - link.last_pump > TICK_S:
                link.pump(0.0)
            elif now - self._looked > LOOK_S:
                self._looked = now
                link.look()

    def keep_surroundings(self) -> None:
        """What is set in this process just now holds for all tasks from here on (see `apart`).

        Each greenlet has context variables of its own, and begins with none: without this, tasks
        would have 28 digits where the script says ``decimal.getcontext().prec = 50`` as it is
        imported.  And while the task waits that an initializer was called for, others would run in
        another folder than that which it has chosen.
        """
        if self.active is not None:
            self.active.place = apart.place()
        self.context = apart.copy(contextvars.copy_context())
        for runner in self._spare:
            runner.gr_context = apart.copy(self.context)

    def take_globals(self, runner: Runner) -> None:
        """Make the global generators this runner's (see `seeding`)."""
        if self.seeding is None:
            from .seeding import Seeding

            self.seeding = Seeding()
        self.seeding.take(runner)

    def seed_for(self, lineage: bytes) -> None:
        """A task begins in a run whose seed was given."""
        assert self.seeding is not None
        self.seeding.begin(self.session.seed, lineage)

    def forget_parent(self, task: bytes, runner: Runner) -> None:
        """A parent has ended."""
        if self._parents.get(task) is runner:
            del self._parents[task]
        runner.scope = None

    # ---- callbacks -----------------------------------------------------------------------------

    def call_back(self, scope: Scope, callback: Callable[[], None]) -> None:
        """Let a parent call something when it next waits, or ends; wake it if it waits."""
        runner = self._parents.get(scope.task)
        if runner is not None and runner.scope is scope:
            runner.callbacks.append(callback)
            self.wake(runner)

    def _run_callbacks(self, runner: Runner) -> None:
        callbacks = runner.callbacks
        while callbacks:
            callbacks.popleft()()

    def end_callbacks(self, runner: Runner) -> None:
        """Call what is left when the task has its result: nothing it does changes that."""
        try:
            self._run_callbacks(runner)
        except BaseException:  # SystemExit and its like; the others were logged
            logging.getLogger("scoop_ft").exception("a callback of a future failed")
            runner.callbacks.clear()
