"""SCOOP's Future: that of `scoop_ft`, with the attributes that scripts read and set."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from ..client.future import Future as OurFuture
from ..errors import CancelledError, TimeoutError

__all__ = ["CallbackType", "CancelledError", "Future", "TimeoutError"]

_numbers: Final = itertools.count()


class CallbackType:
    """Whom a callback concerns; here always the process that added it."""

    standard = "standard"
    universal = "universal"


class Future(OurFuture):
    """What ``scoop.futures.submit`` returns; scripts may set attributes of their own.

    Attributes
    ----------
    id : tuple
        This process, and a number in it.
    callable, args, kargs
        The call.
    callback : list
        What was given to `add_done_callback`.
    """

    def __init__(
        self, one: OurFuture, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        for name in OurFuture.__slots__:
            setattr(self, name, getattr(one, name))
        from . import worker

        self.id = (worker, next(_numbers))
        self.callable = function
        self.args = args
        self.kargs = kwargs
        self.callback: list[Callable[[Any], Any]] = []

    @property
    def isDone(self) -> bool:
        """Is there a result or an exception, or was it cancelled?"""
        return self.done()

    @property
    def resultValue(self) -> Any:
        """The result; None while there is none, or after an exception."""
        return self._load()[0] if self.done() else None

    @property
    def exceptionValue(self) -> BaseException | None:
        """What the call raised; None while it runs, or if it raised nothing."""
        return self._load()[1] if self.done() else None

    def add_done_callback(
        self,
        callable_: Callable[[Any], Any],
        inCallbackType: str = CallbackType.standard,
        inCallbackGroup: Any = None,
    ) -> None:
        """Call ``callable_(self)`` when there is a result; at once when there is one.

        Type and group are taken and do nothing.
        """
        self.callback.append(callable_)
        super().add_done_callback(callable_)
