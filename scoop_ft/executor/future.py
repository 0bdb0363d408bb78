"""The future of an `Executor`: that of `concurrent.futures`, which knows where its call is.

Its result is set by the thread that serves the executor.  Whether the call runs and whether it can
still be cancelled is asked of the broker, when the user asks.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures._base import (
    CANCELLED,
    CANCELLED_AND_NOTIFIED,
    FINISHED,
    PENDING,
    RUNNING,
)
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .serving import Server

_ENDED = (CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED)


class Future(concurrent.futures.Future[Any]):
    """What `Executor.submit` returns; works with all that takes futures of the standard library."""

    # A condition and two lists cost more than all the rest of a call: they are made when somebody
    # looks for them (`_made`).
    _state = PENDING
    _result = None
    _exception = None

    def __init__(self, server: Server | None = None, ordinal: int = -1) -> None:
        self._server = server  # None: nobody is to be asked
        self._ordinal = ordinal

    def __reduce__(self) -> Any:
        raise TypeError("a Future cannot be sent to another process: send its result()")

    def _made(self, name: str, make: Callable[[], Any]) -> Any:
        found = self.__dict__.get(name)
        return self.__dict__.setdefault(name, make()) if found is None else found

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        made: threading.Condition = self._made("_lazy_condition", threading.Condition)
        return made

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        made: list[Any] = self._made("_lazy_waiters", list)
        return made

    @property
    def _done_callbacks(self) -> list[Any]:
        made: list[Any] = self._made("_lazy_callbacks", list)
        return made

    def running(self) -> bool:
        """Is the call with a worker?"""
        server = self._server
        if self._state == PENDING and server is not None and server.is_running(self._ordinal):
            self._begun()
        return self._state == RUNNING

    def _begun(self) -> None:
        with self._condition:
            if self._state == PENDING:
                self._state = RUNNING

    def cancel(self, *, subtree: bool = False) -> bool:
        """Try to cancel the call; False when it runs or has ended.

        Waits for the answer of the worker that has it.

        Parameters
        ----------
        subtree : bool
            A call that runs is given up too, with all that it has submitted, and nobody waits for
            it.  Then False means that it has ended.
        """
        server = self._server
        if server is None or self._state in _ENDED:
            return super().cancel()
        if not server.cancel([(self._ordinal, self._ordinal + 1)], subtree=subtree):
            if not subtree:
                self._begun()
            return False
        return self._was_cancelled()

    def _was_cancelled(self) -> bool:
        """The call will not run: say so to whoever waits."""
        with self._condition:
            if self._state in _ENDED:
                return self._state != FINISHED
            self._state = PENDING
        super().cancel()
        self.set_running_or_notify_cancel()
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Return the result, waiting for it; see `concurrent.futures.Future.result`."""
        if self._state == FINISHED and self._exception is None:
            return self._result
        self._hurry()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None, waiting for it."""
        self._hurry()
        return super().exception(timeout)

    def _hurry(self) -> None:
        """Somebody waits: the call shall leave now."""
        server = self._server
        if server is None or self._state in _ENDED:
            return
        if server.thread == threading.get_ident():  # in a callback: nobody else would bring it
            server.serve_until(self)
        else:
            server.hurry()

    def _ends_with(self, value: Any, error: BaseException | None) -> None:
        """Take the result, unless there is one.

        Called once, in one thread.  Who waits makes the condition first and looks at the state
        then; here it is the other way round, so that one of the two sees the other.
        """
        self._server = None
        if self._state in _ENDED:
            return
        self._result, self._exception = value, error
        self._state = FINISHED
        if "_lazy_condition" not in self.__dict__:
            return
        with self._condition:
            for waiter in self._waiters:
                if error is not None:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]
