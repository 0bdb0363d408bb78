"""A map with a buffer: how far it reads ahead, so that its input may be endless.

What is read, and when, follows from how many results were handed over and from nothing else: run
again, a map submits the same calls at the same places, whatever the timing.  How calls are
submitted and where results lie is the business of who makes a `Buffer`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from .completions import Completions
from .groups import Group
from .scopes import BATCH_TASKS, Part

P = TypeVar("P")
Call = tuple[Any, ...]
SHARE: Final = 4  # a quarter of the buffer is filled again at once: never a message for each call


def check(size: int) -> None:
    """Raise for what is no number of calls."""
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"buffersize is a number of calls, not {size!r}")
    if size < 1:
        raise ValueError(f"buffersize is at least 1, not {size}")


class Buffer(Generic[P]):
    """The calls of a map that were submitted and whose results were not handed over.

    Parameters
    ----------
    calls : iterator
        The arguments of each call; it may be endless.
    size : int
        There are never more of them.
    submit : callable
        Reads calls, submits them, and returns pieces, each of at most so many calls.
    length : callable
        Tells how many calls a piece is.
    """

    def __init__(
        self,
        calls: Iterator[Call],
        size: int,
        submit: Callable[[Iterable[Call], int], list[P]],
        length: Callable[[P], int],
    ) -> None:
        self.pieces: deque[P] = deque()
        self.step = max(1, min(size // SHARE, BATCH_TASKS))
        self._calls = self._until_error(calls)
        self._size = size
        self._submit = submit
        self.length = length
        self._held = 0
        self._ended = False
        self._error: Exception | None = None
        self.fill()

    def _until_error(self, calls: Iterator[Call]) -> Iterator[Call]:
        """Yield calls; what reading them raises comes after the results of those before it."""
        try:
            yield from calls
        except Exception as error:  # noqa: BLE001 - the user's iterable may raise anything
            self._error = error

    def fill(self) -> None:
        """Read and submit what there is room for, if it is worth a message."""
        wanted = self._size - self._held
        if self._ended or wanted < self.step:
            return
        pieces = self._submit(islice(self._calls, wanted), self.step)
        read = sum(map(self.length, pieces))
        self._ended = read < wanted
        self._held += read
        self.pieces.extend(pieces)

    def handed_over(self, count: int) -> None:
        """So many more results were handed over."""
        self._held -= count
        self.fill()

    def end(self) -> None:
        """All results were handed over: raise what the iterable raised."""
        if self._error is not None:
            raise self._error


def cut(parts: Iterable[Part], longest: int) -> list[Part]:
    """Return the same calls in parts that are not longer than that."""
    return [
        (group, index, min(longest, first + count - index))
        for group, first, count in parts
        for index in range(first, first + count, longest)
    ]


def in_order(buffer: Buffer[P], results: Callable[[P], Iterator[Any]]) -> Iterator[Any]:
    """Yield the results in the order of the calls; ``results`` gives those of a piece."""
    while buffer.pieces:
        piece = buffer.pieces.popleft()
        yield from results(piece)
        buffer.handed_over(buffer.length(piece))
    buffer.end()


def as_they_come(
    buffer: Buffer[Part],
    await_one: Callable[[Completions[tuple[Group, int]]], None],
    result: Callable[[Group, int], Any],
) -> Iterator[Any]:
    """Yield the results in the order in which they come; ``await_one`` waits for the next."""
    completions: Completions[tuple[Group, int]] = Completions([])
    left = taken = 0
    try:
        while True:
            while buffer.pieces:
                group, first, count = buffer.pieces.popleft()
                span = range(first, first + count)
                completions.add(((group, index), group, index) for index in span)
                left += count
            if not left:
                break
            if not completions.ready:
                await_one(completions)
            while completions.ready and taken < buffer.step:
                yield result(*completions.ready.popleft())
                left -= 1
                taken += 1
            if taken == buffer.step or not left:
                buffer.handed_over(taken)
                taken = 0
    finally:
        completions.close()
    buffer.end()
