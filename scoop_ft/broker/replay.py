"""A submission meets what is recorded: the same call gets its record, anything else is new.

At its ordinal first, then by content among the siblings nobody has claimed (programs that submit
in completion order are legal), and only then it is recorded as new, never served what it is not;
`departures` says what it is in place of.  No I/O beyond reading the journal through its port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..ids import SESSION_BYTES
from ..wire.frames import Buffer
from ..wire.messages import Range, Submit
from . import departed, records
from .content import Content, compare
from .delivery import Moved
from .families import Family
from .lanes import without_keys
from .records import NO_BATCH, Bind, Change, Kind
from .stretches import outside
from .tasks import DONE, FAILED, VOID, Batch

if TYPE_CHECKING:
    from .core import Broker

#: Start and stop in the new batch, the recorded batch, the index there.
Stretch = tuple[int, int, Batch, int]


def record(
    b: Broker, family: Family, m: Submit, header: bytes, frames: Sequence[Buffer]
) -> Batch | None:
    """Record what is new of a batch, and serve what is not.

    Returns
    -------
    Batch or None
        The batch recorded; None when all its tasks were recorded before.
    """
    if not family.unclaimed and not family.overlapping(m.first, m.first + m.count):
        return _record_all(b, m, header, frames)
    content = Content(m, frames[0], frames[1:])
    same, again, rest = _match_by_ordinal(b, family, m, content)
    moved, fresh = _match_by_content(b, family, content, rest)
    if fresh and departed.is_refused(b, family, m, content, fresh[0]):
        return None
    batch = _record_all(b, m, header, frames) if fresh else None
    if (
        moved
        or (batch is not None and (same or again))
        or family.is_outdated(m.batch[:SESSION_BYTES])
    ):
        _bind(b, m, batch, same + again, moved)
    _change(b, m, [*again, *same, *moved])
    for start, stop, older, index in again:
        b.serve(older, index, index + stop - start)
    for start, stop, older, index in same:
        b.reused += b.serve(older, index, index + stop - start)
    b.reused += _serve_moved(b, family, m.first, moved)
    return batch


def _serve_moved(b: Broker, family: Family, first: int, moved: list[Stretch]) -> int:
    """Deliver what is done of tasks found elsewhere, queue what is not; return how many were."""
    ended: list[Moved] = []
    for start, stop, older, index in moved:
        for a, z, state in list(older.runs(index, index + stop - start)):
            if state in (DONE, FAILED):
                ended.append((older, a, z, first + start - index))
            else:
                b.serve(older, a, z)
    b.delivery.deliver_moved(family, ended)
    return sum(z - a for _, a, z, _ in ended)


def _record_all(b: Broker, m: Submit, header: bytes, frames: Sequence[Buffer]) -> Batch:
    seq = b.append(Kind.BATCH, header, frames[0], frames[1:])
    b.dispatcher.keep_at_hand(m)
    return b.book.apply_batch(seq, m, len(frames[0]) + sum(size for _, size in m.buffers))


def _match_by_ordinal(
    b: Broker, family: Family, m: Submit, content: Content
) -> tuple[list[Stretch], list[Stretch], list[Range]]:
    """Claim what is the same call at the same ordinal.

    Returns what was claimed now, what was claimed before (this submission is said again, since
    its sender does not know that it has come), and the ranges left.
    """
    same: list[Stretch] = []
    again: list[Stretch] = []
    contents: dict[bytes, Content] = {}  # one batch may be met at many places
    with b.journal.reading() as view:
        for segment in family.overlapping(m.first, m.first + m.count):
            older = segment.batch
            known = contents.get(older.id)
            if known is None:
                known = contents[older.id] = Content.of(view, older)
            at = segment.first - m.first
            for offset, count, equal in compare(content, at, known, segment.index, segment.count):
                if equal:
                    low = segment.index + offset
                    shift = at - segment.index
                    for a, z in _unclaimed(older, low, low + count):
                        same.append((a + shift, z + shift, older, a))
                    for a, z in older.claimed_stretches(low, low + count):
                        again.append((a + shift, z + shift, older, a))
    for start, stop, older, index in same:
        family.claim(older, index, index + stop - start)
    found = sorted((start, stop) for start, stop, _, _ in same + again)
    return same, again, list(outside(found, 0, m.count))


def _match_by_content(
    b: Broker, family: Family, content: Content, rest: list[Range]
) -> tuple[list[Stretch], list[int]]:
    """Claim what is the same call at another ordinal; return it, and the indices left.

    Calls that were recorded behind one another, and are again, are one stretch.
    """
    moved: list[Stretch] = []
    fresh: list[int] = []
    if not rest:
        return moved, fresh
    pool = _unclaimed_by_content(b, family)
    for start, stop in rest:
        for index in range(start, stop):
            found = _take_wanted(pool, content, index) if pool else None
            if found is None:
                fresh.append(index)
                continue
            older, place = found
            family.claim(older, place, place + 1)
            if moved and _goes_on(moved[-1], index, older, place):
                moved[-1] = (moved[-1][0], index + 1, older, moved[-1][3])
            else:
                moved.append((index, index + 1, older, place))
    return moved, fresh


def _goes_on(stretch: Stretch, index: int, batch: Batch, place: int) -> bool:
    start, stop, older, first = stretch
    return stop == index and older is batch and first + stop - start == place


def _take_wanted(
    pool: dict[bytes, list[tuple[Batch, int]]], content: Content, index: int
) -> tuple[Batch, int] | None:
    names = content.wanted(index)
    return _take_unclaimed(pool, names[0]) or _take_unclaimed(pool, names[1])


def _take_unclaimed(
    pool: dict[bytes, list[tuple[Batch, int]]], name: bytes
) -> tuple[Batch, int] | None:
    candidates = pool.get(name, [])
    while candidates:
        batch, index = candidates.pop()
        if not batch.is_claimed(index):
            return batch, index
    return None


def _unclaimed_by_content(b: Broker, family: Family) -> dict[bytes, list[tuple[Batch, int]]]:
    """Return (made once for each run of the parent) what nobody has claimed, by content."""
    if family.pool is not None:
        return family.pool
    pool: dict[bytes, list[tuple[Batch, int]]] = {}
    family.pool = pool
    with b.journal.reading() as view:
        for batch in family.batches.values():
            free = list(_unclaimed(batch, 0, batch.count))
            if not free:
                continue
            content = Content.of(view, batch)
            for start, stop in free:
                for index in range(start, stop):
                    if batch.state[index] != VOID:
                        for name in content.names(index):
                            pool.setdefault(name, []).append((batch, index))
    for candidates in pool.values():
        candidates.reverse()  # the lowest ordinal is taken first
    return pool


def _unclaimed(batch: Batch, start: int, stop: int) -> Iterator[Range]:
    """Yield the stretches that the present run of the parent has not submitted."""
    return outside(batch.claimed_stretches(start, stop), start, stop)


def _bind(
    b: Broker, m: Submit, batch: Batch | None, same: list[Stretch], moved: list[Stretch]
) -> None:
    """Record which tasks of the batch are older ones, and where older ones are found now."""
    bound = moved + (same if batch is not None else [])
    slots = [(m.first + start, stop - start, older.id, at) for start, stop, older, at in bound]
    void = sorted((start, stop) for start, stop, _, _ in bound) if batch is not None else []
    name = m.batch if batch is not None else NO_BATCH
    message = Bind(m.parent, name, void, slots, m.batch[:SESSION_BYTES])
    seq = b.append(Kind.BIND, records.encode(message))
    b.book.apply_bind(seq, message)


def _change(b: Broker, m: Submit, found: list[Stretch]) -> None:
    """Record with which options these tasks are to be run from now on, where they are others."""
    options = without_keys(m.options)
    ranges: dict[bytes, list[Range]] = {}
    for start, stop, older, index in found:
        for a, z, known in older.alike(index, index + stop - start):
            if known != options and any(state != DONE for _, _, state in older.runs(a, z)):
                ranges.setdefault(older.id, []).append((a, z))
    for name, changed in ranges.items():
        message = Change(name, sorted(changed), options)
        b.book.apply_change(b.append(Kind.CHANGE, records.encode(message)), message)
