"""The user's signal handlers: called in the user's code, never in the midst of our bookkeeping.

A handler may raise; that is how people put a time limit on a wait.  Raised while a message is taken
in or a batch is ended, it would lose that, and who waits for it would wait for ever.  So what is
done as a whole is marked (`whole`), and a handler that is due in its midst is called at its end,
before the user's code goes on.  Whoever blocks for news has nothing at hand: it is called at once.

Where no user sets a handler nothing of this happens.  Ctrl-C in the root has its own way
(`Link.interrupt`), for nobody sets that.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final, ParamSpec, TypeVar

from zmq.sugar.poll import Poller

P = ParamSpec("P")
T = TypeVar("T")

_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TIMERS: Final[dict[Any, Any]] = {
    getattr(signal, f"ITIMER_{timer}", None): getattr(signal, name, None)
    for timer, name in (("VIRTUAL", "SIGVTALRM"), ("PROF", "SIGPROF"))
}
_whole: set[CodeType] = set()
_open: set[CodeType] = {Poller.poll.__code__, threading.Condition.wait.__code__}
put_off: deque[Callable[[FrameType | None], None]] = deque()


def whole(function: Callable[P, T]) -> Callable[P, T]:
    """Mark what no handler shall end in its midst."""

    def as_a_whole(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        finally:
            if put_off:
                call_put_off()

    _whole.add(as_a_whole.__code__)
    return functools.wraps(function)(as_a_whole)


def users(function: Callable[P, T]) -> Callable[P, T]:
    """Mark what calls the user's code, whatever it is part of."""
    _open.add(function.__code__)
    return function


def call_put_off() -> None:
    """Call the handlers that were put off, if it is time."""
    if threading.current_thread() is not threading.main_thread():
        return
    frame = sys._getframe(1).f_back
    while put_off and not _is_ours(frame):
        put_off.popleft()(frame)


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


class Handlers:
    """Stands between ``signal.signal`` and the handlers that the user gives it.

    Parameters
    ----------
    at_work : callable
        Returns whose code the main thread runs just now; None: nobody's.  What a handler raises
        then, or for a timer that somebody else has set, is not his business: it goes no further
        than a line of text.
    """

    def __init__(self, at_work: Callable[[], Any] = lambda: ()) -> None:
        self._at_work = at_work
        self._timers: dict[Any, Any] = {}  # by signal, who has set it last
        self._said = False

    def install(self) -> None:
        """From now on who sets a handler sets it here (main thread only)."""
        set_it, get_it = signal.signal, signal.getsignal

        @functools.wraps(set_it)
        def set_handler(signalnum: int, handler: Any) -> Any:
            return _users(set_it(signalnum, self._guarded(handler)))

        @functools.wraps(get_it)
        def get_handler(signalnum: int) -> Any:
            return _users(get_it(signalnum))

        signal.signal, signal.getsignal = set_handler, get_handler
        for name in ("alarm", "setitimer"):
            if hasattr(signal, name):  # not on Windows
                setattr(signal, name, self._noting(getattr(signal, name)))

    def _noting(self, set_timer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(set_timer)
        def noting(which: int, *args: float) -> Any:
            number = _TIMERS.get(which, signal.SIGALRM) if args else signal.SIGALRM
            self._timers[number] = self._at_work()
            return set_timer(which, *args)

        return noting

    def _guarded(self, handler: Any) -> Any:
        return _Guarded(handler, self) if callable(handler) else handler

    def call(self, handler: Callable[..., Any], number: int, frame: FrameType | None) -> None:
        """Call a handler now, or later."""
        now = self._at_work()
        if now is None or self._timers.get(number, now) != now:
            try:
                handler(number, frame)
            except BaseException as error:  # noqa: BLE001 - there is nobody to take it
                self._say(error)
        elif _is_ours(frame):
            put_off.append(functools.partial(self.call, handler, number))
        else:
            handler(number, frame)

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


def _users(handler: Any) -> Any:
    return handler.handler if isinstance(handler, _Guarded) else handler
