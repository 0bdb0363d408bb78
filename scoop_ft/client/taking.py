"""Hands out the results of many calls: in their order, or as they come.

Waits for what is not there, by the runtime; what lies together is loaded together.  Which calls
there are, and what a user may ask for, is the business of `futures`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from .. import columns
from ..errors import TimeoutError
from ..payload import load
from .completions import Completions
from .groups import Chunk, Group, Single, not_loaded, outcome
from .handlers import whole
from .runtime import Runtime
from .scopes import Part

T = TypeVar("T")


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)


def in_order(
    runtime: Runtime, parts: list[Part], deadline: float | None, collect: bool = False
) -> Iterator[Any]:
    """Yield the results of a map's parts, each when all before it are there.

    ``collect``: exceptions stand in the places of results.
    """
    parts.reverse()
    item = 0  # of this map: an index is a place in a batch
    while parts:
        group, index, count = parts.pop()
        stop = index + count
        while index < stop:
            if not group.done(index):
                here = index
                if not runtime.wait(
                    lambda group=group, here=here: group.done(here),  # type: ignore[misc]
                    (group,),
                    _left(deadline),
                ):
                    raise TimeoutError(f"the result of item {item} was not there in time")
            values, here = _stretch(group, index, stop, collect)
            yield from values
            group.let_go(index, here)
            index += here
            item += here


def _stretch(group: Group, index: int, stop: int, collect: bool) -> tuple[Iterable[Any], int]:
    """Return the results that lie together, from one that is there on, and how many they are."""
    found = group.find(index)
    assert found is not None
    chunk, position = found
    if not isinstance(chunk, Chunk) or chunk.status or chunk.buffers:
        return (_value(chunk, position, collect),), 1
    count = group.stretch(index, stop)
    ends = chunk.ends[position : position + count]
    begin = chunk.ends[position - 1] if position else chunk.base
    payload = chunk.payload[begin - chunk.base : ends[-1] - chunk.base]
    values = columns.load(payload, ends, begin) if count >= columns.LEAST else None
    return _loaded(payload, ends, begin, collect) if values is None else values, count


@whole  # what a handler raises in its midst would pass for a result
def _loaded(payload: memoryview, ends: memoryview, base: int, collect: bool) -> Iterator[Any]:
    begin = 0
    for end in ends:
        try:
            value = load(payload[begin : end - base])
        except (Exception, SystemExit) as why:  # noqa: BLE001 - unpickling runs user code
            value = not_loaded(why)
            if not collect:
                raise value  # noqa: B904 - it has its cause
        yield value
        begin = end - base


def _value(chunk: Chunk | Single, position: int, collect: bool) -> Any:
    value, error = outcome(chunk, position)
    if error is None:
        return value
    if collect:
        return error
    try:
        raise error
    finally:
        del error  # its traceback holds this frame


def as_they_come(
    runtime: Runtime, parts: list[Part], deadline: float | None, collect: bool
) -> Iterator[Any]:
    """Yield the results of a map's parts as they are there."""
    items = (
        ((group, index), group, index)
        for group, first, count in parts
        for index in range(first, first + count)
    )
    for group, index in completed(runtime, items, deadline):
        yield taken(group, index, collect)


def taken(group: Group, index: int, collect: bool) -> Any:
    """Return a result that is there; nobody asks for it again."""
    found = group.find(index)
    assert found is not None
    try:
        return _value(*found, collect)
    finally:
        group.let_go(index)


def await_one(runtime: Runtime, completions: Completions[Any], deadline: float | None) -> None:
    """Wait until something has ended."""
    if not _has_come(runtime, completions, deadline):
        raise TimeoutError("the next result was not there in time")


def _has_come(runtime: Runtime, completions: Completions[Any], deadline: float | None) -> bool:
    """Wait for the next; False when the time is over."""
    if completions.look():
        return True
    return runtime.wait(completions.look, completions.groups(), _left(deadline))


def completed(
    runtime: Runtime, items: Iterable[tuple[T, Group, int]], deadline: float | None
) -> Iterator[T]:
    """Yield items as their results arrive."""
    completions = Completions(items)
    total = left = len(completions)
    try:
        while left:
            if not _has_come(runtime, completions, deadline):
                raise TimeoutError(f"{left} of {total} results were not there in time")
            while completions.ready:
                left -= 1
                yield completions.ready.popleft()
    finally:
        completions.close()
