"""What `futures` and `shared` stand on: the root's runtime, a worker's, or none (serial).

One runtime a process.  It joins a parent's scope, the session and the link; user code never sees
it.  The root's is here; the worker's is in `scoop_ft.worker.runtime`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Final

from .. import errors
from ..ids import ROOT_ID, ROOT_LINEAGE
from ..payload import Packer, load
from ..wire import messages as wire
from ..wire.frames import Buffer
from ..wire.messages import Options
from .groups import Group
from .handlers import whole
from .link import TICK_S, Link
from .scopes import BATCH_TASKS, MOST, Definition, Part, Scope
from .session import Frames, Session

ANSWER_S: Final = 5.0  # nobody hears so long whether a child runs: it does not
SILENT_S: Final = 3.0  # waiting for a constant for so long: a word about it
WINDOW_BYTES: Final = 64 << 20  # no more payload than this waits for the broker's sync

_current: Runtime | None = None
forked: bool = False  # this is a child of a run's process that user code has forked


def current() -> Runtime | None:
    """Return this process's runtime; None: tasks run serially, here."""
    return _current


def install(runtime: Runtime | None) -> None:
    """Make a runtime this process's; a process that a task forks has none."""
    global _current
    if hasattr(os, "register_at_fork") and _current is None:
        os.register_at_fork(after_in_child=_forget)
    _current = runtime


def _forget() -> None:
    global _current, forked
    _current = None
    forked = True


class Runtime(ABC):
    """The calls that `futures` and `shared` need."""

    def __init__(self, session: Session, link: Link) -> None:
        self.session = session
        self.link = link
        self._const_setters: dict[str, Scope] = {}
        self._said_unset: set[str] = set()
        self._met: set[tuple[bytes, bytes]] = set()  # functions that were submitted: digest, code
        self._last_met: Definition | None = None

    @abstractmethod
    def scope(self) -> Scope:
        """Return the parent that calls."""

    @abstractmethod
    def close(self, scope: Scope) -> None:
        """End the parent's open batch and let its tasks go their way (lock of ``scope`` held)."""

    @abstractmethod
    def wait(
        self, ready: Callable[[], bool], groups: Iterable[Group], timeout_s: float | None
    ) -> bool:
        """Wait until something is so that arrivals in ``groups`` may bring; False: time over."""

    @abstractmethod
    def after(self, scope: Scope, callback: Callable[[], None]) -> None:
        """Call something soon, where the parent's code may run (``link.state`` held)."""

    @abstractmethod
    def breathe(self) -> None:
        """The user asks whether something is so: give it a chance to become so."""

    def tell(self, scope: Scope) -> None:
        """Say all that the parent has submitted, before something else is said of it."""
        with scope.lock:
            self.close(scope)

    def is_leaving(self) -> bool:
        """Was this process asked to leave its machine?"""
        return False

    def keep_surroundings(self) -> None:  # noqa: B027 - only workers have anything to do
        """What is set in this process just now holds for all tasks that run here."""

    # ---- submitting ------------------------------------------------------------------------

    @whole
    def submit(
        self, function: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Scope, Group, int]:
        """Submit one call."""
        if function is not self._last_met:
            self._meet(function)
        key = None if function.key_of is None else function.key_of(args, kwargs)
        scope = self.scope()
        with scope.lock:
            if scope.options is not function.options:
                self._fit(scope, function.options)
            group, index = scope.add(function, args, kwargs)
            if key is not None:
                scope.add_key(key)
            if group.count == 1:
                self.opened(scope)
            if scope.is_full():
                self.close(scope)
        self.throttle()
        return scope, group, index

    def submit_many(
        self, function: Definition, calls: Iterable[tuple[Any, ...]], plain: bool
    ) -> list[Part]:
        """Submit one call for each tuple of arguments, read as they are packed.

        ``plain`` says that reading them runs no user code: then many are read, and packed at once.
        """
        self._meet(function)
        if function.key_of is not None:
            return [(*self.submit(function, args, {})[1:], 1) for args in calls]
        if plain:
            return self._submit_ahead(function, iter(calls))
        scope = self.scope()
        parts: list[Part] = []
        iterator = iter(calls)
        options = function.options
        for first in iterator:
            with scope.lock:
                self._fit(scope, options)
                rest = scope.reading(iterator, options, self._fit)
                parts += scope.add_many(function, chain((first,), rest), scope.room())
                if scope.is_full():
                    self.close(scope)
            self.throttle()
        return parts

    def _meet(self, function: Definition) -> None:
        """See to what must be said before a function is.

        That may take long and run anybody's code: no lock is held, and nothing is lost with it.
        """
        known = function.digest, function.code
        if known not in self._met:
            self.session.on_function()
            if len(self._met) >= MOST:
                self._met.clear()
            self._met.add(known)
        self._last_met = function

    def _submit_ahead(self, function: Definition, calls: Iterator[tuple[Any, ...]]) -> list[Part]:
        scope = self.scope()
        parts: list[Part] = []
        ahead = deque(islice(calls, BATCH_TASKS))
        while ahead:
            with scope.lock:
                self._fit(scope, function.options)
                parts += scope.add_many(function, ahead, scope.room())
                if scope.is_full():
                    self.close(scope)
            self.throttle()
            ahead.extend(islice(calls, BATCH_TASKS - len(ahead)))
        return parts

    def _fit(self, scope: Scope, options: Options) -> None:
        """The next call has these options: the open batch is of such calls, or a new one."""
        if scope.options is not options:
            self.close(scope)
            scope.options = options
        self.opened(scope)

    def opened(self, scope: Scope) -> None:
        """A parent's batch has its first call."""
        return

    def throttle(self) -> None:
        """Wait while too much has not been synced by the broker."""
        if time.monotonic() - self.link.last_pump > TICK_S:
            self.link.pump(0.0)
        session = self.session
        if session.unacknowledged_bytes > WINDOW_BYTES:
            self.wait(lambda: session.unacknowledged_bytes < WINDOW_BYTES // 2, (), None)

    def flush(self) -> None:
        """End the open batch of the parent that calls."""
        scope = self.scope()
        if scope.has_open():
            with scope.lock:
                self.close(scope)

    # ---- asking ----------------------------------------------------------------------------

    def cancel(self, scope: Scope, ordinal: int, *, subtree: bool = False) -> bool:
        """Give a child up; True when it will not run, or with its ``subtree`` is not wanted."""
        with scope.lock:
            self.close(scope)
        session = self.session
        with self.link.state:
            ranges = [(ordinal, ordinal + 1)]
            request = session.ask(lambda r: wire.Cancel(r, scope.task, ranges, subtree))
        # Without a limit: a child said to run that is cancelled after all would be a wrong answer.
        return bool(self._answer(request, None))

    def running(self, scope: Scope, ordinal: int) -> bool:
        """Is a child with a worker?"""
        with scope.lock:
            self.close(scope)
        with self.link.state:
            request = self.session.ask(lambda r: wire.Query(r, scope.task, ordinal))
        return bool(self._answer(request, ANSWER_S))

    def fetch(
        self, scope: Scope, step: int, call: bytes, taken: list[wire.Range]
    ) -> tuple[wire.Fetched, Frames]:
        """Ask for what a parent has kept."""
        with scope.lock:
            self.close(scope)
        with self.link.state:
            request = self.session.ask(lambda r: wire.Fetch(r, scope.task, step, call, taken))
        found: tuple[wire.Fetched, Frames] = self._answer(request, None)
        return found

    def _answer(self, request: int, timeout_s: float | None) -> Any:
        found: list[Any] = []

        def came() -> bool:
            if not found:
                answer = self.session.answer(request)
                if answer is not None:
                    found.append(answer)
            return bool(found)

        self.link.pump(0.0)
        self.wait(came, (), timeout_s)
        return found[0] if found else None

    # ---- constants -------------------------------------------------------------------------

    @whole
    def set_const(self, key: str, value: Any) -> None:
        """Share a constant with all processes of the run; raises TypeError when it has a value.

        A parent that is run again sets again what is recorded: that is none of its faults.
        """
        packer = Packer()
        packer.add(value, f"the constant {key!r}")
        packed = packer.take()
        frames = [packed.payload, *map(bytes, packed.frames)]
        session, scope = self.session, self.scope()
        with self.link.state:
            known = session.consts.get(key)
            if known is not None:
                same = frames == [bytes(known[0]), *map(bytes, known[1])]
                if self._const_setters.get(key) is scope or not (same or self.sets_const_anew()):
                    raise TypeError(f"the constant {key!r} is set already: constants do not change")
            self._const_setters[key] = scope
            if known is not None and same:
                return
            session.consts[key] = (frames[0], list(frames[1:]))
            sizes = [size for _, size in packed.buffers]
            session.keep(wire.SetConst(session.number(), key, sizes), frames)
            session.on_event()
        self.link.wake()

    def sets_const_anew(self) -> bool:
        """May this process give another value to what another process has set?"""
        return False

    def get_const(self, key: str, timeout_s: float | None) -> Any:
        """Return a copy of a constant, waiting for it; raises TimeoutError."""
        payload, buffers = self._const(key, timeout_s)
        return load(payload, [memoryview(buffer).toreadonly() for buffer in buffers])

    def get_const_bytes(self, key: str) -> memoryview:
        """Return the bytes of a constant that is one large buffer: itself, no copy of it."""
        _, [buffer] = self._const(key, None)
        return memoryview(buffer).toreadonly()

    def _const(self, key: str, timeout_s: float | None) -> tuple[Buffer, list[Buffer]]:
        consts = self.session.consts

        def is_set() -> bool:
            return key in consts

        if timeout_s is None and not self.wait(is_set, (), SILENT_S):
            self._say_unset(key)
        if not self.wait(is_set, (), timeout_s):
            raise errors.TimeoutError(f"nobody has set the constant {key!r} within {timeout_s} s")
        return consts[key]

    def _say_unset(self, key: str) -> None:
        """Nobody may ever set it: who waits for it says so, once in a process."""
        if key not in self._said_unset:
            self._said_unset.add(key)
            text = f"scoop-ft: waiting for the constant {key!r}, which nobody has set yet"
            print(text, file=sys.stderr, flush=True)


class RootRuntime(Runtime):
    """The runtime of the process that runs the user's script: it submits, and waits."""

    def __init__(self, session: Session, link: Link) -> None:
        super().__init__(session, link)
        self._scope = Scope(ROOT_ID, ROOT_LINEAGE, replayed=True)
        session.scopes[ROOT_ID] = self._scope
        self._callbacks: deque[Callable[[], None]] = deque()
        self._calling = threading.Lock()
        link.after_pump = self.run_callbacks

    def scope(self) -> Scope:
        """Return the root."""
        return self._scope

    @whole
    def close(self, scope: Scope) -> None:
        """Send the open batch."""
        with self.link.state:  # a `Hello` in between would count what nobody has sent
            closed = scope.close()
            if closed is not None:
                self.session.submit(closed, self.session.new_batch())
        if closed is not None:
            self.link.wake()

    @whole
    def flush_open(self) -> None:
        """Send the open batch if nobody is just packing a call (for the link's pump)."""
        scope = self._scope
        if scope.has_open() and scope.lock.acquire(blocking=False):
            try:
                self.close(scope)
            finally:
                scope.lock.release()

    def wait(
        self, ready: Callable[[], bool], groups: Iterable[Group], timeout_s: float | None
    ) -> bool:
        """Wait at the socket."""
        self.flush()
        with self.asking(any(True for _ in groups)):
            if timeout_s is not None and timeout_s <= 0:
                self.link.pump(0.0)
            return self.link.wait(ready, timeout_s)

    @contextmanager
    def asking(self, for_results: bool) -> Iterator[None]:
        """Have results come meanwhile, whatever lies here untaken: what is awaited may follow."""
        session = self.session
        if not for_results:
            yield
            return
        with self.link.state:
            session.room.waits += 1
            more = session.has_more_room()
        if more:
            self.link.wake()  # who blocks at the socket has not said it
        try:
            yield
        finally:
            with self.link.state:
                session.room.waits -= 1

    def sets_const_anew(self) -> bool:
        """The script, run again, may know better: what it set before came from itself."""
        return True

    def breathe(self) -> None:
        """Look at the socket."""
        self.flush()
        with self.asking(True):
            self.link.pump(0.0)

    def after(self, scope: Scope, callback: Callable[[], None]) -> None:
        """Call something after the next look at the socket."""
        self._callbacks.append(callback)

    @whole
    def run_callbacks(self) -> None:
        """Call what waits to be called; by one thread at a time, so that order is kept."""
        while self._callbacks and self._calling.acquire(blocking=False):
            try:
                while self._callbacks:
                    self._callbacks.popleft()()
            finally:
                self._calling.release()
