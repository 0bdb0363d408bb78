"""What an executor's workers do once before their first call of it.

The initializer and its arguments are a constant of the run, so each new worker gets them, and each
replacement; a call is wrapped so that it sees to it first.  Runs in workers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import shared
from ..client.runtime import current
from ..errors import RemoteError
from ..ids import digest
from ..payload import Packer
from .set_globals import call_and_hand_on

_done: dict[str, BaseException | None] = {}  # in this process: what came of it


class InitializerFailed(Exception):
    """Carries an initializer's own exception from a worker to its executor."""


class Initialized:
    """A function that is called in workers that have run an initializer.

    Parameters
    ----------
    key : str
        Of the constant.
    func : callable
    """

    def __init__(self, key: str, func: Callable[..., Any]) -> None:
        self._key = key
        self._func = func
        self.__name__ = getattr(func, "__name__", type(func).__name__)
        self.__qualname__ = getattr(func, "__qualname__", self.__name__)
        self.__module__ = getattr(func, "__module__", __name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        if self._key not in _done:
            _initialize(self._key)
        failed = _done[self._key]
        if failed is not None:
            raise InitializerFailed(failed) from failed  # its own traceback comes along
        return self._func(*args, **kwargs)

    def __reduce__(self) -> Any:
        return Initialized, (self._key, self._func)


def _initialize(key: str) -> None:
    initializer, initargs = shared.get_const(key)
    try:
        call_and_hand_on(initializer, initargs)
    except Exception as error:  # noqa: BLE001 - user code may raise anything; the program hears of it
        _done[key] = error
    else:
        _done[key] = None
        runtime = current()
        if runtime is not None:
            runtime.keep_surroundings()


def error_of(error: BaseException | None) -> BaseException | None:
    """Return the initializer's own exception if that is why a call has failed."""
    if isinstance(error, InitializerFailed):
        own: BaseException = error.args[0]
        own.__cause__ = error.__cause__
        return own
    if isinstance(error, RemoteError) and error.type_name.endswith(InitializerFailed.__name__):
        return error  # its own cannot travel
    return None


def name(initializer: Callable[..., Any], initargs: tuple[Any, ...]) -> str:
    """Name an initializer by what it is, so that another one never meets its results."""
    packer = Packer()
    packer.add((initializer, initargs), "the initializer")
    packed = packer.take()
    return "scoop_ft.initializer." + digest(b"".join([packed.payload, *packed.frames])).hex()
