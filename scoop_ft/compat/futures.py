"""``scoop.futures``: SCOOP's calls, each by one of `scoop_ft.futures`.

Where SCOOP does otherwise than PEP 3148 and scripts may count on it, it is done as SCOOP does: what
a call raised is raised by `wait` and `as_completed`, and a negative timeout means none.  While a
worker imports the script, `map` is Python's own, so that a script may call it outside of its main
guard; what it does there is done once in each process.
"""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from typing import Any

from .. import futures as ours
from .. import script
from ..errors import CancelledError, TimeoutError
from .types import CallbackType, Future

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "CallbackType",
    "CancelledError",
    "Future",
    "TimeoutError",
    "as_completed",
    "map",
    "mapReduce",
    "mapScan",
    "map_as_completed",
    "shutdown",
    "submit",
    "wait",
]


def submit(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
    """Call ``func(*args, **kwargs)`` somewhere; return a Future of its result."""
    return Future(ours.submit(func, *args, **kwargs), func, args, kwargs)


def map(
    func: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, **rest: Any
) -> Iterator[Any]:
    """Call ``func`` for the items of the iterables; iterate over the results in order."""
    _drop("map", rest)
    if script.importing_main:
        return builtins.map(func, *iterables)
    return ours.map(func, *iterables, timeout=_limit(timeout))


def map_as_completed(
    func: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, **rest: Any
) -> Iterator[Any]:
    """Like `map`, but the results come in the order in which they are there."""
    _drop("map_as_completed", rest)
    return ours.map_as_completed(func, *iterables, timeout=_limit(timeout))


def mapReduce(
    mapFunc: Callable[..., Any],
    reductionFunc: Callable[[Any, Any], Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    **rest: Any,
) -> Any:
    """Call ``mapFunc`` for all items and combine the results with ``reductionFunc``."""
    _drop("mapReduce", rest)
    return ours.map_reduce(mapFunc, reductionFunc, *iterables, timeout=_limit(timeout))


def mapScan(
    mapFunc: Callable[..., Any],
    reductionFunc: Callable[[Any, Any], Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    **rest: Any,
) -> list[Any]:
    """Like `mapReduce`, but return all the intermediate values."""
    _drop("mapScan", rest)
    return ours.map_scan(mapFunc, reductionFunc, *iterables, timeout=_limit(timeout))


def wait(
    fs: Iterable[Any], timeout: float | None = -1, return_when: str = ALL_COMPLETED
) -> ours.DoneAndNotDoneFutures:
    """Wait for futures; return those that are done and those that are not.

    Without a timeout, or with a negative one, what a call raised is raised here.
    """
    limit = _limit(timeout)
    found = ours.wait(fs, limit, return_when)
    if limit is None:
        for future in found.done:
            _raise_of(future)
    return found


def as_completed(fs: Iterable[Any], timeout: float | None = None) -> Iterator[Any]:
    """Yield futures as they end; what a call raised is raised here."""
    for future in ours.as_completed(fs, _limit(timeout)):
        _raise_of(future)
        yield future


def shutdown(wait: bool = True) -> None:
    """Do nothing: the run ends when the script does."""


def _raise_of(future: Any) -> None:
    if future.cancelled():
        raise CancelledError
    error = future.exception()
    if error is not None:
        raise error


def _limit(timeout: float | None) -> float | None:
    """Return a timeout as `scoop_ft` takes it: None for none."""
    return None if timeout is None or timeout < 0 or timeout == float("inf") else timeout


def _drop(name: str, rest: dict[str, Any]) -> None:
    """Say once what SCOOP drops without a word."""
    if rest and not script.importing_main:
        warnings.warn(
            f"futures.{name} does not pass {', '.join(rest)} on to the function (nor does SCOOP): "
            "use functools.partial",
            RuntimeWarning,
            stacklevel=3,
        )
