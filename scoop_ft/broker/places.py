"""Where a parent's children are found is recorded as one, when a run is resumed.

A script that submits as results come asks for its calls in another order each time it is run again,
and each call that is found elsewhere than before is a record.  A run that is resumed every four
hours for weeks would keep, and read at each start, all that all these runs have said; only the last
word on each place counts.  So that is written again, and the records it was said in leave the
journal.

Those that say more (that tasks of a batch are none of their own) stay, one for a batch at most, and
so do those from before a saved state: what it stands for follows from them.

Decides which, and how; it moves no child.  No I/O beyond the journal through its port.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from .families import Family
from .records import NO_BATCH, Bind, Kind, encode

if TYPE_CHECKING:
    from .core import Broker

LEAST: Final = 64  # fewer records and places are left as they are,
SHARE: Final = 2  # and so are fewer than so many times the places to be written
SLOTS: Final = 4_096  # in one record
SLOT_BYTES: Final = 40  # at most

Slot = tuple[int, int, bytes, int]


def record_as_one(b: Broker) -> None:
    """Write again where children are found, of each parent of which much is recorded."""
    for parent, older in b.book.places().items():
        said = len(older) + sum(older.values())
        if not older or said < b.place_from:
            continue
        family = b.book.family(parent)
        slots = [*_empty(family), *_taken(family)]
        saves = said >= SHARE * len(slots) or not b.place_from
        if not saves or not b.journal.has_room(SLOT_BYTES * len(slots)):
            continue
        for at in range(0, max(len(slots), 1), SLOTS):
            message = Bind(parent, NO_BATCH, [], slots[at : at + SLOTS], family.author)
            b.book.apply_bind(b.append(Kind.BIND, encode(message)), message)
        b.book.placed_anew(parent, older)


def _taken(family: Family) -> Iterator[Slot]:
    """Yield the places of all batches of which some child has ever had another."""
    for segment in family.segments:
        if not segment.batch.intact:
            yield segment.first, segment.count, segment.batch.id, segment.index


def _empty(family: Family) -> Iterator[Slot]:
    """Yield where such batches were recorded and nobody is now."""
    for batch in family.batches.values():
        if batch.intact:
            continue
        at, stop = batch.first, batch.first + batch.count
        for segment in family.overlapping(at, stop):
            if at < segment.first:
                yield at, segment.first - at, NO_BATCH, 0
            at = segment.stop
        if at < stop:
            yield at, stop - at, NO_BATCH, 0
