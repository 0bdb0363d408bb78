"""What a parent has kept: its last checkpoint, and the values of its durable steps.

Says where these are recorded, which of them a parent that runs again gets, and which records
nothing needs any more.  Payloads are not looked into; no I/O, no clock.
"""

from __future__ import annotations

from typing import NamedTuple

from ..ids import SESSION_BYTES
from ..wire.messages import Checkpoint, Step, Submit

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
        The durable steps, by their number.
    outdated : int
        Children that a checkpoint has made needless; they were tasks, and done, nevertheless.
    """

    __slots__ = (
        "_answers", "_asker", "_first", "_others", "_upto", "checkpoint", "outdated", "steps",
    )  # fmt: skip

    def __init__(self) -> None:
        self.checkpoint: Saved | None = None
        self.steps: dict[int, Saved] = {}
        self.outdated = 0
        self._first = 0
        self._upto = b""
        self._others: list[Saved] = []  # steps of an earlier run whose number another one has now
        self._asker = b""  # the session that the answers were given to
        self._answers: dict[int, Saved] = {}

    # ---- recording -------------------------------------------------------------------------

    def save(self, seq: int, m: Checkpoint) -> list[Records]:
        """Take a checkpoint; return the records that it makes needless."""
        needless = [] if self.checkpoint is None else [self.checkpoint[:2]]
        self.checkpoint = Saved(seq, 1 + len(m.buffers), b"", m.next, m.next_step)
        self._first, self._upto = m.first, m.upto
        past = [number for number in self.steps if m.first_step <= number < m.next_step]
        needless += [self.steps.pop(number)[:2] for number in past]
        return needless

    def add_step(self, seq: int, m: Step) -> None:
        """Take the value of a durable step."""
        saved = Saved(seq, 1 + len(m.buffers), m.call, m.next, m.next_step)
        older = self.steps.get(m.step)
        if older is not None:
            self._others.append(older)
        self.steps[m.step] = saved
        self._answers[m.step] = saved

    def has_step(self, m: Step) -> bool:
        """Is this step recorded?  Then it is only said again."""
        known = self.steps.get(m.step)
        return known is not None and known.call == m.call

    def records(self) -> list[Records]:
        """Return all records there are."""
        saved = [*self.steps.values(), *self._others]
        if self.checkpoint is not None:
            saved.append(self.checkpoint)
        return [each[:2] for each in saved]

    # ---- asking ----------------------------------------------------------------------------

    def find_step(self, session: bytes, number: int, call: bytes) -> Saved | None:
        """Return the recorded value of a step: at its number, else with the same content.

        A recorded value is given for one step of each run of the parent only.
        """
        if self._asker != session:
            self._asker, self._answers = session, {}
        given = self._answers.get(number)
        if given is not None and given.call == call:
            return given  # asked again, on another connection
        taken = {saved.seq for k, saved in self._answers.items() if k != number}
        known = self.steps.get(number)
        candidates = [*([] if known is None else [known]), *self.steps.values(), *self._others]
        for saved in candidates:
            if saved.call == call and saved.seq not in taken:
                self._answers[number] = saved
                return saved
        return None

    def makes_needless(self, m: Submit) -> bool:
        """Was this batch, which is not recorded any more, said before the last checkpoint?"""
        return (
            self.checkpoint is not None
            and m.batch[:SESSION_BYTES] == self._upto[:SESSION_BYTES]
            and m.batch <= self._upto
            and self._first <= m.first
            and m.first + m.count <= self.checkpoint.next
        )
