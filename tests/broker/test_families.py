"""Which task is the n-th child, after any number of moves."""

from __future__ import annotations

import random

from scoop_ft.broker.families import BLOCK, Family, Segment
from scoop_ft.broker.tasks import Batch, Tally
from scoop_ft.ids import ROOT_ID


def a_batch(number: int, first: int, count: int) -> Batch:
    return Batch(
        Tally(), id=bytes((number,)) * 16, seq=number, records=1, parent=ROOT_ID,
        lineage=bytes(16), first=first, count=count, functions=[bytes(16)], payload_bytes=0,
    )  # fmt: skip


def test_a_task_and_its_ordinal_find_each_other() -> None:
    drawn = random.Random(7)
    for _ in range(50):
        family = Family(ROOT_ID)
        batches = [a_batch(number, 10 * number, 10) for number in range(4)]
        known: dict[int, tuple[Batch, int]] = {}
        for batch in batches:
            family.place(Segment(batch.first, 10, batch, 0))
            known.update({batch.first + index: (batch, index) for index in range(10)})
        for _ in range(40):
            batch, index, ordinal = drawn.choice(batches), drawn.randrange(8), drawn.randrange(45)
            count = drawn.randrange(1, 3)
            family.bind(Segment(ordinal, count, batch, index))
            moved = [(batch, index + k) for k in range(count)]
            known = {o: task for o, task in known.items() if task not in moved}
            known.update({ordinal + k: task for k, task in enumerate(moved)})
        assert {o: family.find(o) for o in range(50) if family.find(o)} == known
        places = {
            index + shift: (batch, index)
            for batch in batches
            for a, b, shift in family.ordinals(batch, 0, 10)
            for index in range(a, b)
        }
        assert places == known


def test_a_task_is_found_across_the_blocks_in_which_ordinals_are_kept() -> None:
    family = Family(ROOT_ID)
    first, count = BLOCK - 3, 2 * BLOCK + 9
    batch, other = a_batch(1, first, count), a_batch(2, 7 * BLOCK, 4)
    family.place(Segment(first, count, batch, 0))
    family.place(Segment(other.first, 4, other, 0))
    assert batch.intact
    for ordinal in (first, BLOCK - 1, BLOCK, 3 * BLOCK, first + count - 1):
        assert family.find(ordinal) == (batch, ordinal - first)
    assert family.find(first + count) is None
    assert family.missing(0, 1 << 40) == (1 << 40) - count - 4
    family.bind(Segment(BLOCK - 1, 2, other, 1))
    assert [family.find(o) for o in (BLOCK - 1, BLOCK)] == [(other, 1), (other, 2)]
    assert family.find(other.first + 1) is None
    assert (batch.lost, family.stop) == (2, other.first + 4)
    family.vacate(first, other.first + 4)
    assert (family.segments, family.stop) == ([], 0)
