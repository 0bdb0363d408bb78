"""The user's signal handlers: called in the user's code, never in the midst of our bookkeeping.

A handler may raise; that is how people put a time limit on a wait.  Raised while a message is taken
in or a batch is ended, it would lose that, and who waits for it would wait for ever.  So what is
done as a whole is marked (`whole`); a signal that comes in its midst comes again a moment later,
when the user's code goes on.  Whoever blocks for news has nothing at hand: it is called at once.

The marks cost nothing, and where no user sets a handler nothing of this happens.  Ctrl-C in the
root has its own way (`Link.interrupt`), for nobody sets that.
"""

from __future__ import annotations

import functools
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, TypeVar

from zmq.sugar.poll import Poller

F = TypeVar("F", bound=Callable[..., Any])
Handler = Callable[[int, "FrameType | None"], Any]

AGAIN_S: Final = 0.001  # from a signal at a bad moment to its return
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TIMERS: Final[dict[Any, Any]] = {
    getattr(signal, f"ITIMER_{timer}", None): getattr(signal, name, None)
    for timer, name in (("VIRTUAL", "SIGVTALRM"), ("PROF", "SIGPROF"))
}
_whole: set[CodeType] = set()
_open: set[CodeType] = {Poller.poll.__code__, threading.Condition.wait.__code__}


def whole(function: F) -> F:
    """Mark what no handler shall end in its midst."""
    _whole.add(function.__code__)
    return function


def users(function: F) -> F:
    """Mark what calls the user's code, whatever it is part of."""
    _open.add(function.__code__)
    return function


def _is_ours(frame: FrameType | None) -> bool:
    """Is what goes on here ours to end?  Where there is no code of the user's, all is."""
    seen = False
    while frame is not None:
        code = frame.f_code
        if code in _open:
            return False
        if code in _whole:
            return True
        seen = seen or not code.co_filename.startswith(_PACKAGE)
        frame = frame.f_back
    return not seen


class First(NamedTuple):
    """A handler of ours, for a signal that the user may handle too.

    It is called before that of the user's where the signal is for us (``is_due``), and when that
    raises `SystemExit`, which asks for the same, and so is raised no further.
    """

    is_due: Callable[[], bool]
    handler: Handler


_NOTHING: Final[Mapping[int, First]] = {}


class Handlers:
    """Stands between ``signal.signal`` and the handlers that the user gives it.

    Parameters
    ----------
    at_work : callable
        Returns whose code the main thread runs just now; None: nobody's.  What a handler raises
        then, or for a timer that somebody else has set, is not his business: it goes no further
        than a line of text.
    first : dict of int to First, optional
        By signal, a handler of ours that ends this process in good order.
    """

    def __init__(
        self, at_work: Callable[[], Any] = lambda: (), first: Mapping[int, First] = _NOTHING
    ) -> None:
        self._at_work = at_work
        self._first = first
        self._timers: dict[Any, Any] = {}  # by signal, who has set it last
        self._said = False
        self._due: set[int] = set()  # came at a bad moment; a timer that is set anew ends that
        self._sent: set[int] = set()  # was sent again, and has not come
        self._late: queue.SimpleQueue[int] = queue.SimpleQueue()  # a handler may put into it
        self._sender: threading.Thread | None = None
        self._sending = threading.RLock()  # held while a signal is sent, or its handler changed
        self._forked = False

    def install(self) -> None:
        """From now on who sets a handler sets it here (main thread only)."""
        set_it, get_it = signal.signal, signal.getsignal

        @functools.wraps(set_it)
        def set_handler(signalnum: int, handler: Any) -> Any:
            guarded = self._guarded(handler)
            with self._sending:
                before = _users(set_it(signalnum, guarded))
                if guarded is handler:  # the system's own, which may end this process
                    self._due.discard(signalnum)
            return before

        @functools.wraps(get_it)
        def get_handler(signalnum: int) -> Any:
            return _users(get_it(signalnum))

        signal.signal, signal.getsignal = set_handler, get_handler
        for name in ("alarm", "setitimer"):
            if hasattr(signal, name):  # not on Windows
                setattr(signal, name, self._noting(getattr(signal, name)))
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def off(self) -> None:
        """The script has ended: what its handlers raise from now on is nobody's, without a word."""
        self._at_work = lambda: None
        self._said = True

    def _forget(self) -> None:
        """A child that is forked is an ordinary process: nothing in it is ours."""
        self._forked = True
        self._sending = threading.RLock()

    def _noting(self, set_timer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(set_timer)
        def noting(which: int, *args: float) -> Any:
            number = _TIMERS.get(which, signal.SIGALRM) if args else signal.SIGALRM
            self._timers[number] = self._at_work()
            before = set_timer(which, *args)
            self._due.discard(number)
            return before

        return noting

    def _guarded(self, handler: Any) -> Any:
        if self._forked or not callable(handler) or _is_loops(handler):
            return handler
        if self._sender is None:
            self._sender = threading.Thread(
                target=self._send_again, name="scoop-ft-signals", daemon=True
            )
            self._sender.start()
        return _Guarded(handler, self)

    def call(self, handler: Callable[..., Any], number: int, frame: FrameType | None) -> None:
        """Call a handler now, or later."""
        if self._forked:
            handler(number, frame)
            return
        first = self._first.get(number)
        if first is not None and first.is_due():
            first.handler(number, frame)
        if number in self._sent:
            self._sent.discard(number)
            if number not in self._due:
                return
        self._due.discard(number)
        now = self._at_work()
        if now is None or self._timers.get(number, now) != now:
            try:
                handler(number, frame)
            except BaseException as error:  # noqa: BLE001 - there is nobody to take it
                if first is None or not isinstance(error, SystemExit):
                    self._say(error)
                else:
                    first.handler(number, frame)
        elif _is_ours(frame):
            self._due.add(number)
            self._late.put(number)
        else:
            try:
                handler(number, frame)
            except SystemExit:
                if first is None:
                    raise
                first.handler(number, frame)

    def _send_again(self) -> None:
        to = threading.main_thread().ident
        assert to is not None
        while True:
            number = self._late.get()
            time.sleep(AGAIN_S)
            with self._sending:
                if number not in self._due:
                    continue
                self._sent.add(number)
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(to, number)  # which ends a wait in the kernel, too
                else:
                    signal.raise_signal(number)

    def _say(self, error: BaseException) -> None:
        if not self._said:
            self._said = True
            print(
                f"scoop-ft: a signal handler raised {error!r}, for a task that had ended or waits: "
                "nothing comes of it; options(time_limit=…) also limits a task that waits",
                file=sys.stderr,
            )


class _Guarded:
    """A handler of the user's, as the interpreter knows it."""

    def __init__(self, handler: Callable[..., Any], handlers: Handlers) -> None:
        self.handler = handler
        self._handlers = handlers

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._handlers.call(self.handler, number, frame)


def _is_loops(handler: Any) -> bool:
    """Is it asyncio's, which raises nothing?  A signal that came twice would be heard twice."""
    return getattr(handler, "__module__", None) == "asyncio.unix_events"


def _users(handler: Any) -> Any:
    return handler.handler if isinstance(handler, _Guarded) else handler
