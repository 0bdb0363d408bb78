"""The Future of PEP 3148: where a result lies, and how to wait for it.

What it knows of the result is its group and index; how to wait is the runtime's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .. import errors
from .groups import Group, outcome
from .handlers import users, whole
from .runtime import Runtime, current
from .scopes import Scope

_NOT_LOADED: Final = object()


class Future:
    """What `submit` returns: a result that will be there, as in PEP 3148.

    It belongs to the task (or script) that submitted it and cannot be sent to another one.
    """

    __slots__ = (
        "_callbacks", "_cancelled", "_error", "_group", "_index", "_runtime", "_scope", "_value",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime | None, scope: Scope | None, group: Group, index: int
    ) -> None:
        self._runtime = runtime
        self._scope = scope
        self._group = group
        self._index = index
        self._cancelled = False
        self._value: Any = _NOT_LOADED
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future], Any]] | None = None

    def __repr__(self) -> str:
        state = "finished" if self._group.done(self._index) else "pending"
        return f"<Future of child {self._group.first + self._index}, {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Future cannot be sent to another process: send its result()")

    @property
    def _condition(self) -> Any:
        """What the standard library's `wait` and `as_completed` look for first."""
        raise AttributeError(
            "wait and as_completed of concurrent.futures wait for its own futures only: use "
            "scoop_ft.futures.wait and scoop_ft.futures.as_completed, or submit to an Executor()"
        )

    def done(self) -> bool:
        """Is there a result or an exception, or was it cancelled?"""
        self._look_out()
        if self._cancelled or self._group.done(self._index):
            return True
        if self._runtime is not None:
            mine(self._runtime).breathe()
        return self._group.done(self._index)

    def running(self) -> bool:
        """Is the call with a worker?"""
        if self.done() or self._runtime is None or self._scope is None:
            return False
        return self._runtime.running(self._scope, self._group.first + self._index)

    def cancelled(self) -> bool:
        """Was the call cancelled before it began?"""
        if not self._cancelled and self._group.done(self._index):
            # A replayed run may find that the child had been cancelled.
            self._cancelled = isinstance(self._load()[1], errors.CancelledError)
        return self._cancelled

    def cancel(self, *, subtree: bool = False) -> bool:
        """Try to cancel the call; False when it runs or has ended.

        Waits for the answer of the worker that has it.

        Parameters
        ----------
        subtree : bool
            A call that runs is given up too, with all that it has submitted: what has not begun
            does not run, and nobody waits for what has.  Then False means that it has ended.
        """
        if self._cancelled:
            return True
        if self.done() or self._runtime is None or self._scope is None:
            return False
        ordinal = self._group.first + self._index
        if not self._runtime.cancel(self._scope, ordinal, subtree=subtree):
            return False
        self._cancelled = True
        self._keep(None, errors.CancelledError())
        self._call_back()
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Return the result, waiting for it.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Raises
        ------
        TimeoutError
            It was not there in time.
        CancelledError
            The call was cancelled.
        Exception
            What the call raised, with the remote traceback as its cause.
        """
        value, error = self._wait(timeout)
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        return value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None; waits and raises as `result` does."""
        error = self._wait(timeout)[1]
        if isinstance(error, errors.CancelledError):
            raise error
        return error

    @whole
    def add_done_callback(self, fn: Callable[[Future], Any]) -> None:
        """Call ``fn(self)`` when there is a result; at once when there is one.

        Its exceptions are logged and go no further.
        """
        self._look_out()
        runtime, scope = self._runtime, self._scope
        if runtime is not None and scope is not None:
            with runtime.link.state:  # nothing arrives between the look and the entry
                if not (self._cancelled or self._group.done(self._index)):
                    if not scope.alive:
                        return  # whose child it is has ended: nothing comes any more
                    if self._callbacks is None:
                        self._callbacks = []
                        self._group.watchers.append(self._arrived)
                    if not self._callbacks:
                        runtime.session.room.waits += 1  # it shall come though nobody waits
                        scope.called_for += 1
                    self._callbacks.append(fn)
                    return
        _call(fn, self)

    def _arrived(self) -> None:
        if self._callbacks and self._group.done(self._index):
            assert self._runtime is not None
            assert self._scope is not None
            self._runtime.after(self._scope, self._call_back)

    def _call_back(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        if callbacks and self._runtime is not None and self._scope is not None:
            with self._runtime.link.state:
                if self._scope.called_for:  # else its parent has ended
                    self._scope.called_for -= 1
                    self._runtime.session.room.waits -= 1
        for fn in callbacks or ():
            _call(fn, self)

    def _look_out(self) -> None:
        """The parent asks which results have come: what it does may follow from their order."""
        if self._scope is not None:
            self._scope.ordered = False

    def _wait(self, timeout: float | None) -> tuple[Any, BaseException | None]:
        if timeout is not None:
            self._look_out()
        group, index = self._group, self._index
        if self._value is _NOT_LOADED and group.missing and not group.done(index):
            runtime = mine(self._runtime)
            if not runtime.wait(lambda: group.done(index), (group,), timeout):
                raise errors.TimeoutError(f"no result within {timeout} s")
        return self._load()

    def _load(self) -> tuple[Any, BaseException | None]:
        if self._value is _NOT_LOADED:
            found = self._group.find(self._index)
            assert found is not None
            self._keep(*outcome(*found))
        return self._value, self._error

    def _keep(self, value: Any, error: BaseException | None) -> None:
        self._error = error
        self._value = value  # last: another thread may ask


@users
def _call(fn: Callable[[Future], Any], future: Future) -> None:
    try:
        fn(future)
    except Exception:
        import logging

        logging.getLogger("scoop_ft").exception("a callback of %r failed", future)


def mine(runtime: Runtime | None) -> Runtime:
    """Return the runtime a future waits in."""
    if runtime is None or runtime is not current():
        raise RuntimeError("this future belongs to another process: wait for it where it was made")
    return runtime
