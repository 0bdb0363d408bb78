"""Without a run: a script started with plain ``python`` does its tasks here, one by one.

Each call has the place that it would have in a run: its random numbers are made of it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import starmap
from typing import Any

from .. import coroutines
from ..ids import ROOT_LINEAGE, lineage

_warned = False


class Place:
    """A call under way, or the script, as the parent of the calls that it submits."""

    __slots__ = ("_ordinal", "_parent", "_steps", "generators", "next")

    def __init__(self, parent: Place | None = None, ordinal: int = 0) -> None:
        self._parent = parent
        self._ordinal = ordinal
        self._steps = 0
        self.next = 0
        self.generators: Any = None  # as a `Scope`'s

    @property
    def lineage(self) -> bytes:
        """The lineage that it would have in a run."""
        if self._parent is None:
            return ROOT_LINEAGE
        return lineage(self._parent.lineage, self._ordinal)

    def child(self) -> Place:
        """Return the place of the next call that is submitted."""
        self.next += 1
        return Place(self, self.next - 1)

    def step(self) -> int:
        """Return the number of the next durable step."""
        self._steps += 1
        return self._steps - 1


_place: ContextVar[Place] = ContextVar("_place", default=Place())  # noqa: B039 - there is one root


def place() -> Place:
    """Return the call that this code is part of, or the script."""
    return _place.get()


def warn() -> None:
    """Say once how to start the script in parallel."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"running serially and without a journal: {_in_parallel()}",
            RuntimeWarning,
            stacklevel=4,
        )


def _in_parallel() -> str:
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if path is None or getattr(main, "__spec__", None) is not None:  # a notebook, python -m
        return "open a scoop_ft.Executor() before, and its workers are used"
    return f"start it with 'scoop-ft run {os.path.basename(path)}'"


def call(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, BaseException | None]:
    """Call a function now; return its value or its exception."""
    coroutines.refuse(func)
    try:
        with _at(place().child()):
            return func(*args, **kwargs), None
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for
        return None, error


def call_each(
    func: Callable[..., Any],
    calls: Iterator[tuple[Any, ...]],
    *,
    collect: bool = False,
    buffersize: int | None = None,
) -> Iterator[Any]:
    """Call a function for each tuple of arguments, when its result is asked for.

    The arguments are read now, and the calls have their places from now on, as in a run; with a
    buffer, as much as a run would read.
    """
    coroutines.refuse(func)
    parent = place()

    def placed(some: Iterable[tuple[Any, ...]]) -> list[tuple[Place, Callable[..., Any], Any]]:
        return [(parent.child(), func, args) for args in some]

    call_at = _call_or_error if collect else _call_at
    if buffersize is None:
        return starmap(call_at, placed(calls))
    from .buffered import Buffer, in_order

    def pieces(some: Iterable[tuple[Any, ...]], longest: int) -> list[Any]:
        read = placed(some)
        return [read[k : k + longest] for k in range(0, len(read), longest)]

    buffer: Buffer[Any] = Buffer(calls, buffersize, pieces, len)
    return in_order(buffer, lambda piece: starmap(call_at, piece))


def _call_at(here: Place, func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    with _at(here):
        return func(*args)


def _call_or_error(here: Place, func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return _call_at(here, func, args)
    except Exception as error:  # noqa: BLE001 - it stands in the place of the result
        return error


@contextmanager
def _at(here: Place) -> Iterator[None]:
    token = _place.set(here)
    try:
        yield
    finally:
        _place.reset(token)
