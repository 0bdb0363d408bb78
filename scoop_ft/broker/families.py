"""A parent's children by ordinal: which recorded task is the n-th child.

The children are segments of batches, in order of ordinals and without overlap.  When a replayed
parent submits something else at an ordinal, the new segment cuts the old one; the tasks it cut out
stay in their batch, without an ordinal, where they may be found again by content.

They are kept in blocks of so many ordinals: a million children that were submitted in another order
are a million segments, and each would move all those behind it.  No I/O, no clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .tasks import Batch

BLOCK: Final = 4096  # ordinals


@dataclass(slots=True)
class Segment:
    """The children ``first`` to ``first + count`` are ``batch``'s tasks from ``index`` on.

    Never changed: it is not frozen since there may be a million, and making one would take thrice
    as long.
    """

    first: int
    count: int
    batch: Batch
    index: int

    @property
    def stop(self) -> int:
        return self.first + self.count

    def part(self, start: int, stop: int) -> Segment:
        """The piece of this segment between two ordinals."""
        start, stop = max(start, self.first), min(stop, self.stop)
        return Segment(start, stop - start, self.batch, self.index + start - self.first)


class _Block:
    """The segments of some ordinals, in order."""

    __slots__ = ("_firsts", "segments")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._firsts: list[int] = []

    def overlapping(self, start: int, stop: int) -> Iterator[Segment]:
        position = max(bisect_right(self._firsts, start) - 1, 0)
        for at in range(position, len(self.segments)):
            segment = self.segments[at]
            if segment.first >= stop:
                return
            if segment.stop > start:
                yield segment.part(start, stop)

    def insert(self, segment: Segment) -> None:
        at = bisect_left(self._firsts, segment.first)
        self.segments.insert(at, segment)
        self._firsts.insert(at, segment.first)

    def cut(self, start: int, stop: int) -> bool:
        low = max(bisect_right(self._firsts, start) - 1, 0)
        if low < len(self.segments) and self.segments[low].stop <= start:
            low += 1
        high = bisect_left(self._firsts, stop, low)
        if low == high:
            return False
        kept = []
        for old in self.segments[low:high]:
            if start <= old.first and old.stop <= stop:
                old.batch.put(old.index, None, old.count)
                continue
            gone = old.part(start, stop)
            old.batch.put(gone.index, None, gone.count)
            kept += [old.part(a, b) for a, b in ((old.first, start), (stop, old.stop)) if a < b]
        self.segments[low:high] = kept
        self._firsts[low:high] = [segment.first for segment in kept]
        return True


class Family:
    """The children of one parent.

    Attributes
    ----------
    parent : bytes
        The parent's task id.
    host : bytes
        The session in which the parent runs now (empty: in none).
    batches : dict
        All recorded batches of this parent, those without an ordinal included, in order.
    unclaimed : set of bytes
        Those with tasks that the present run of the parent has not submitted.
    pool : dict or None
        These tasks by content, while a replay looks for them (`replay` makes and uses it).
    session : bytes
        The session that has submitted the latest batches (empty: none since a run of it began).
    fresh : int
        How many of its calls were recorded as new.
    claims : bool
        It runs its calls itself: those that begin and end within its life are told to nobody.
    author : bytes
        The session that has submitted last, since one has put others at some ordinals or has
        saved its state (empty: none has).
    """

    __slots__ = (
        "_blocks", "_functions", "_lineage", "author", "batches", "claims", "fresh", "host",
        "parent", "pool", "session", "unclaimed",
    )  # fmt: skip

    def __init__(self, parent: bytes) -> None:
        self.parent = parent
        self.host = b""
        self.batches: dict[bytes, Batch] = {}
        self._blocks: dict[int, _Block] = {}
        self.unclaimed: set[bytes] = set()
        self.pool: dict[bytes, list[tuple[Batch, int]]] | None = None
        self.session = b""
        self.fresh = 0
        self.claims = False
        self.author = b""
        self._lineage = b""
        self._functions: list[bytes] = []

    def same_lineage(self, lineage: bytes) -> bytes:
        """Return the parent's lineage, one object for all its batches."""
        if lineage != self._lineage:
            self._lineage = lineage
        return self._lineage

    def same_functions(self, functions: list[bytes]) -> list[bytes]:
        """Return these functions, the list of the batch before if that calls the same."""
        if functions != self._functions:
            self._functions = functions
        return self._functions

    @property
    def segments(self) -> list[Segment]:
        """All segments, in order."""
        return [one for _, block in sorted(self._blocks.items()) for one in block.segments]

    @property
    def stop(self) -> int:
        """The ordinal behind the last child."""
        return self._blocks[max(self._blocks)].segments[-1].stop if self._blocks else 0

    def overlapping(self, start: int, stop: int) -> list[Segment]:
        """Return the segments, cut to size, of the children between two ordinals."""
        return [
            segment
            for number in self._numbers(start, stop)
            for segment in self._blocks[number].overlapping(start, stop)
        ]

    def _numbers(self, start: int, stop: int) -> list[int]:
        """Return the blocks that there are between two ordinals, in order."""
        numbers = range(start // BLOCK, -(-stop // BLOCK))
        if len(numbers) <= len(self._blocks):
            return [number for number in numbers if number in self._blocks]
        return sorted(number for number in self._blocks if number in numbers)

    def missing(self, start: int, stop: int) -> int:
        """Return how many ordinals between two have no child."""
        return stop - start - sum(segment.count for segment in self.overlapping(start, stop))

    def find(self, ordinal: int) -> tuple[Batch, int] | None:
        """Return the task that is the child of this ordinal."""
        for segment in self.overlapping(ordinal, ordinal + 1):
            return segment.batch, segment.index
        return None

    def place(self, segment: Segment) -> bool:
        """Make a segment the children of its ordinals, cutting what was there (True: something)."""
        cut = self._cut(segment.first, segment.stop)
        at = segment.first
        while at < segment.stop:
            number = at // BLOCK
            end = min(segment.stop, (number + 1) * BLOCK)
            whole = at == segment.first and end == segment.stop
            self._blocks.setdefault(number, _Block()).insert(
                segment if whole else segment.part(at, end)
            )
            at = end
        segment.batch.put(segment.index, range(segment.first, segment.stop), segment.count)
        return cut

    def bind(self, segment: Segment) -> None:
        """Make recorded tasks the children of these ordinals, and of no others any more."""
        stop = segment.index + segment.count
        for a, b, shift in list(self.ordinals(segment.batch, segment.index, stop)):
            self._cut(a + shift, b + shift)
        self.place(segment)

    def lies_within(self, batch: Batch, start: int, stop: int) -> bool:
        """Are all tasks of a batch children between two ordinals, or were recorded as such?"""
        if batch.places is None:
            return start <= batch.first and batch.first + batch.count <= stop
        own = range(batch.first, batch.first + batch.count)
        places = (p if p >= 0 else mine for p, mine in zip(batch.places, own, strict=True))
        return all(start <= place < stop for place in places)

    def remove(self, batch: Batch) -> None:
        """Forget a batch: these ordinals have no children any more."""
        del self.batches[batch.id]
        self.unclaimed.discard(batch.id)
        self.pool = None  # it may be in there
        for a, b, shift in list(self.ordinals(batch, 0, batch.count)):
            self._cut(a + shift, b + shift)

    def vacate(self, start: int, stop: int) -> None:
        """Leave these ordinals without children: who had them is recorded no more."""
        self._cut(start, stop)

    def _cut(self, start: int, stop: int) -> bool:
        """Leave these ordinals without children; return whether there were any."""
        cut = False
        for number in self._numbers(start, stop):
            block = self._blocks[number]
            cut = block.cut(start, stop) or cut
            if not block.segments:
                del self._blocks[number]
        return cut

    def ordinals(self, batch: Batch, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield ``(start, stop, shift)``: these indices are the children ``index + shift``."""
        places = batch.places
        if places is None:
            yield start, stop, batch.first
            return
        while start < stop:
            ordinal, begin = places[start], start
            start += 1
            if ordinal < 0:
                continue
            while start < stop and places[start] == ordinal + start - begin:
                start += 1
            yield begin, start, ordinal - begin

    def is_outdated(self, session: bytes) -> bool:
        """Would a run in this session take one child for another, by what it has submitted?"""
        return self.author not in (b"", session)

    def unclaim(self) -> None:
        """The parent will be run again, or somewhere else."""
        self.host = b""
        self.pool = None
        for batch in self.batches.values():
            batch.unclaim()
        self.unclaimed = set(self.batches)

    def claim(self, batch: Batch, start: int, stop: int) -> None:
        """The present run of the parent has submitted these tasks."""
        batch.claim(start, stop)
        if batch.claimed is None:
            self.unclaimed.discard(batch.id)
