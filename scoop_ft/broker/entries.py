"""Where the results of a batch lie: entries ``(start, stop, seq, records)``, in order.

The results of the tasks ``start`` to ``stop`` lie in the journal's record ``seq``, which takes that
many numbers.  Logic without I/O; it knows nothing of what the tasks' states are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Entry = tuple[int, int, int, int]


def records(entries: Iterable[Entry]) -> dict[int, int]:
    """Return the records that entries name, each with how many numbers it takes."""
    return {seq: size for _, _, seq, size in entries}


def gone(before: Iterable[Entry], after: Iterable[Entry]) -> list[tuple[int, int]]:
    """Return the records that entries named before and do not name any more."""
    left = records(after)
    return [item for item in records(before).items() if item[0] not in left]


def without(entries: Iterable[Entry], stretches: Sequence[tuple[int, int]]) -> Iterator[Entry]:
    """Yield the entries without stretches of indices that are in order."""
    first = 0
    for start, stop, seq, size in entries:
        while first < len(stretches) and stretches[first][1] <= start:
            first += 1
        at = first
        while at < len(stretches) and stretches[at][0] < stop:
            if stretches[at][0] > start:
                yield start, stretches[at][0], seq, size
            start = stretches[at][1]
            at += 1
        if start < stop:
            yield start, stop, seq, size
