"""A batch's results as its parent sees them: what has arrived, and where each result lies.

Results stay pickled until they are asked for: ten million of them are some thousand groups of
arrays and bytes, not ten million objects.  No I/O.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from .. import errors
from ..payload import load
from ..pickling import load_small
from ..raised import load_exception
from ..wire.frames import Buffer
from ..wire.messages import Status
from .handlers import whole
from .room import Weight


class Chunk(NamedTuple):
    """Results that arrived together, as they came over the wire."""

    status: bytes
    ends: memoryview  # of u32
    base: int
    payload: memoryview
    buffers: dict[int, list[Buffer]]  # by position
    weight: Weight | None = None

    def status_at(self, position: int) -> int:
        """Return how the task ended (a `Status`)."""
        return self.status[position] if self.status else 0

    def data(self, position: int) -> tuple[Buffer, Sequence[Buffer]]:
        """Return a result's pickle and buffers."""
        begin = self.ends[position - 1] if position else self.base
        view = self.payload[begin - self.base : self.ends[position] - self.base]
        return view, self.buffers.get(position, ())


class Single(NamedTuple):
    """One result, of a task that ran in this process."""

    status: int
    payload: Buffer
    buffers: Sequence[Buffer]

    def status_at(self, position: int) -> int:
        """Return how the task ended (a `Status`)."""
        return self.status

    def data(self, position: int) -> tuple[Buffer, Sequence[Buffer]]:
        """Return the result's pickle and buffers."""
        return self.payload, self.buffers


Arrival = tuple[int, int, Chunk | Single, int]
_NOTHING = Single(0, b"", ())


class Group:
    """The children ``first`` to ``first + count`` of one parent.

    Attributes
    ----------
    missing : int
        How many results are not there yet.
    arrivals : list of (start, stop, chunk, position)
        What has arrived, in the order in which it came: the indices from ``start`` to ``stop``
        lie in ``chunk`` from ``position`` on.
    watchers : list of callables
        Called after each arrival.
    """

    __slots__ = ("_taken", "_where", "arrivals", "count", "first", "missing", "watchers")

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count
        self.missing = count
        self.arrivals: list[Arrival] = []
        self.watchers: list[Callable[[], None]] = []
        self._where: array[int] | None = None
        self._taken: dict[int, int] = {}  # of an arrival, how many results nobody asks for

    def put(self, start: int, stop: int, chunk: Chunk | Single, position: int) -> None:
        """Results have come; those that are there already are left as they are."""
        if not self.arrivals and stop - start == self.count:
            self.arrivals.append((start, stop, chunk, position))
            self.missing = 0
        else:
            self._put_part(start, stop, chunk, position)
        for watcher in tuple(self.watchers):  # another thread may end its watch meanwhile
            watcher()

    def _put_part(self, start: int, stop: int, chunk: Chunk | Single, position: int) -> None:
        if self._where is None:
            if self.arrivals:
                return  # all is there
            self._where = array("i", (-1,)) * self.count
        where = self._where
        while start < stop:
            if where[start] >= 0:
                start, position = start + 1, position + 1
                continue
            end = start + 1
            while end < stop and where[end] < 0:
                end += 1
            # In this order: who sees that a result is there finds it, in whatever thread.
            number = len(self.arrivals)
            self.arrivals.append((start, end, chunk, position))
            where[start:end] = array("i", (number,)) * (end - start)
            self.missing -= end - start
            start, position = end, position + end - start

    def find(self, index: int) -> tuple[Chunk | Single, int] | None:
        """Return where a result lies; None when it has not come."""
        if self._where is None:
            if not self.arrivals:
                return None
            number = 0
        else:
            number = self._where[index]
            if number < 0:
                return None
        start, _, chunk, position = self.arrivals[number]
        return chunk, position + index - start

    def let_go(self, index: int, count: int = 1) -> None:
        """Results that lie together were taken: who may ask for them says that he does not again.

        Others may have calls in the same batch: only what nobody asks for is gone.
        """
        number = 0 if self._where is None else self._where[index]
        start, stop, _, _ = self.arrivals[number]
        taken = self._taken.pop(number, 0) + count
        if taken < stop - start:
            self._taken[number] = taken
        else:
            self.arrivals[number] = (start, stop, _NOTHING, 0)

    def stretch(self, index: int, stop: int) -> int:
        """Return how many results, from this index on, lie behind one another in one chunk."""
        number = 0 if self._where is None else self._where[index]
        return min(stop, self.arrivals[number][1]) - index

    def done(self, index: int) -> bool:
        """Has this result come?"""
        if self.missing == 0:
            return True
        return self._where is not None and self._where[index] >= 0

    def missing_ranges(self) -> list[tuple[int, int]]:
        """Return the ordinals whose results have not come."""
        if self.missing == 0:
            return []
        if self._where is None:
            return [(self.first, self.first + self.count)]
        return as_ranges(self.first + index for index, at in enumerate(self._where) if at < 0)


def as_ranges(ordinals: Iterable[int]) -> list[tuple[int, int]]:
    """Return growing numbers as ranges."""
    found: list[tuple[int, int]] = []
    for ordinal in ordinals:
        if found and found[-1][1] == ordinal:
            found[-1] = (found[-1][0], ordinal + 1)
        else:
            found.append((ordinal, ordinal + 1))
    return found


@whole  # what a handler raises in its midst would pass for the result
def outcome(chunk: Chunk | Single, position: int) -> tuple[Any, BaseException | None]:
    """Return a result's value, or its exception; what cannot be loaded has why as its exception."""
    try:
        return _outcome(chunk, position)
    except (Exception, SystemExit) as why:  # noqa: BLE001 - unpickling runs user code
        return None, not_loaded(why)


def not_loaded(why: BaseException) -> Exception:
    """Return what a result has for its exception that raised this when it was unpickled.

    That a result wants this process to end does not end it: the call is at fault, not who asks.
    """
    if isinstance(why, Exception):
        return why
    error = errors.RemoteError(
        f"the result of a task cannot be loaded here: unpickling it raised {why!r}"
    )
    error.__cause__ = why
    return error


def _outcome(chunk: Chunk | Single, position: int) -> tuple[Any, BaseException | None]:
    if isinstance(chunk, Chunk) and not (chunk.status or chunk.buffers):
        ends, base = chunk.ends, chunk.base
        begin = ends[position - 1] - base if position else 0
        return load_small(chunk.payload[begin : ends[position] - base]), None
    status = chunk.status_at(position)
    data, buffers = chunk.data(position)
    if status == Status.OK:
        return load(data, buffers), None
    if status == Status.RAISED:
        return None, load_exception(data, buffers)
    if status == Status.CANCELLED:
        return None, errors.CancelledError()
    return None, errors.TaskLost.from_details(msgspec.msgpack.decode(data))
