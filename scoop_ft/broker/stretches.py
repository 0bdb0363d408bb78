"""What stretches of numbers leave out.  Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ..wire.messages import Range


def outside(ranges: Sequence[Range], start: int, stop: int) -> Iterator[Range]:
    """Yield what of a stretch is in none of these ranges, which grow and do not overlap."""
    for at in range(bisect_right(ranges, start, key=lambda each: each[1]), len(ranges)):
        low, high = ranges[at]
        if low >= stop:
            break
        if start < min(low, stop):
            yield start, min(low, stop)
        start = max(start, high)
    if start < stop:
        yield start, stop
