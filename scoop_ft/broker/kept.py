"""What a parent has kept: its last checkpoint, and the values of its durable steps.

Says where these are recorded, which of them a parent that runs again gets, and which records
nothing needs any more.  Payloads are not looked into; no I/O, no clock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

from ..ids import SESSION_BYTES
from ..wire.messages import Checkpoint, Fetch, Range, Step, Submit

Records = tuple[int, int]  # a record's number, and how many it is with its buffers


class Saved(NamedTuple):
    """A recorded value: of a checkpoint, then ``call`` is empty, or of a durable step."""

    seq: int
    records: int
    call: bytes
    next: int
    next_step: int


class Kept:
    """One parent's.

    Attributes
    ----------
    checkpoint : Saved or None
        The last one.
    steps : dict of int to Saved
        The durable steps, by the number that each was given.
    outdated : int
        Children that a checkpoint has made needless; they were tasks, and done, nevertheless.
    """

    __slots__ = ("_by_call", "_first", "_next_number", "_upto", "checkpoint", "outdated", "steps")

    def __init__(self) -> None:
        self.checkpoint: Saved | None = None
        self.steps: dict[int, Saved] = {}
        self.outdated = 0
        self._by_call: dict[bytes, list[int]] = {}  # numbers of steps, growing
        self._next_number = 0  # above all that were given
        self._first = 0
        self._upto = b""

    # ---- recording -------------------------------------------------------------------------

    def save(self, seq: int, m: Checkpoint) -> list[Records]:
        """Take a checkpoint; return the records that it makes needless."""
        needless = [] if self.checkpoint is None else [self.checkpoint[:2]]
        self.checkpoint = Saved(seq, 1 + len(m.buffers), b"", m.next, m.next_step)
        self._first, self._upto = m.first, m.upto
        self._next_number = max(self._next_number, m.next_step)
        for start, stop in m.steps:
            past = self.steps if stop - start > len(self.steps) else range(start, stop)
            for number in [n for n in past if start <= n < stop and n in self.steps]:
                needless.append(self._drop_step(number))
        return needless

    def _drop_step(self, number: int) -> Records:
        saved = self.steps.pop(number)
        numbers = self._by_call[saved.call]
        del numbers[bisect_left(numbers, number)]
        if not numbers:
            del self._by_call[saved.call]
        return saved[:2]

    def add_step(self, seq: int, m: Step) -> None:
        """Take the value of a durable step; its number is free."""
        self.steps[m.step] = Saved(seq, 1 + len(m.buffers), m.call, m.next, m.next_step)
        insort(self._by_call.setdefault(m.call, []), m.step)
        self._next_number = max(self._next_number, m.step + 1, m.next_step)

    def records(self) -> list[Records]:
        """Return all records there are."""
        saved = list(self.steps.values())
        if self.checkpoint is not None:
            saved.append(self.checkpoint)
        return [each[:2] for each in saved]

    # ---- asking ----------------------------------------------------------------------------

    def find_step(self, m: Fetch) -> int | None:
        """Return the number of the recorded step that this is: its own, else one like it.

        Each is given to one step only of each run of the parent.
        """
        known = self.steps.get(m.step)
        if known is not None and known.call == m.call and not _in(m.taken, m.step):
            return m.step
        numbers = self._by_call.get(m.call, [])
        at = 0
        for start, stop in m.taken:
            at = bisect_left(numbers, at)
            if at < len(numbers) and numbers[at] < start:
                return numbers[at]
            at = stop
        at = bisect_left(numbers, at)
        return numbers[at] if at < len(numbers) else None

    def free_number(self, m: Fetch) -> int:
        """Return the number of a step that is not recorded: its own unless another has it."""
        if m.step not in self.steps and not _in(m.taken, m.step):
            return m.step
        return max(self._next_number, m.taken[-1][1] if m.taken else 0)

    def is_past(self, session: bytes, m: Checkpoint) -> bool:
        """Had this session said this one before the last, and says it again?

        It names its batches in order, and a checkpoint the last one before it.
        """
        return self._upto[:SESSION_BYTES] == session and m.upto < self._upto

    def makes_needless(self, m: Submit) -> bool:
        """Was this batch, which is not recorded any more, said before the last checkpoint?"""
        return (
            self.checkpoint is not None
            and m.batch[:SESSION_BYTES] == self._upto[:SESSION_BYTES]
            and m.batch <= self._upto
            and self._first <= m.first
            and m.first + m.count <= self.checkpoint.next
        )


def _in(ranges: list[Range], number: int) -> bool:
    return any(start <= number < stop for start, stop in ranges)
