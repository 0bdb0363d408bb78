"""Values that are recorded whole, each in a record of its own: constants, checkpoints, steps.

What is in the journal is compared with what was said, and sent from there.  Decides nothing about
either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..wire.frames import Buffer
from .ports import JournalPort, Ref


def is_recorded(journal: JournalPort, seq: int, frames: Sequence[Buffer]) -> bool:
    """Are these the bytes of this record?"""
    with journal.reading() as view:
        record = view.record(seq)
        before: list[Any] = [record.payload, *record.buffers]
        return len(before) == len(frames) and all(
            len(a) == len(z) and memoryview(a).cast("B") == memoryview(z).cast("B")
            for a, z in zip(before, frames, strict=True)
        )


def whole(journal: JournalPort, seq: int) -> tuple[list[int], list[Ref]]:
    """Return the sizes of a record's buffers, and the frames that send all of it."""
    with journal.reading() as view:
        sizes = [len(buffer) for buffer in view.record(seq).buffers]
    return sizes, [Ref(seq), *(Ref(seq, buffer=k) for k in range(len(sizes)))]
