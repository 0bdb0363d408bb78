"""Thousands of power cuts over the log of one run.  Counts; telling is the command's business."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from scoop_chaos.violations import Violation

from .check import Checker, Fate, Outcome
from .disk import Disk, Lie
from .history import DISK, step
from .record import Recording

TORN = 0.3  # the share of cuts that tear pages into sectors
_KEPT = 20  # findings that are told in full


@dataclass
class Tally:
    """What many cuts have shown.

    Attributes
    ----------
    beyond : Counter
        Transactions that survived beyond those that had to, and how often.
    survivors : Counter
        Tenths of the unacknowledged messages that survived, and how often; -1: there was none.
    """

    cuts: int = 0
    seconds: float = 0.0
    fates: Counter[Fate] = field(default_factory=Counter)
    beyond: Counter[int] = field(default_factory=Counter)
    survivors: Counter[int] = field(default_factory=Counter)
    found: list[tuple[str, Violation]] = field(default_factory=list)

    def add(self, outcome: Outcome, which: str) -> None:
        """Count an outcome."""
        self.cuts += 1
        self.fates[outcome.fate] += 1
        if outcome.fate in (Fate.WHOLE, Fate.LOST):
            self.beyond[outcome.beyond] += 1
            tenths = 10 * outcome.survivors // outcome.chances if outcome.chances else -1
            self.survivors[tenths] += 1
        self.found += [(which, one) for one in outcome.found[: _KEPT - len(self.found)]]

    def merge(self, other: Tally) -> None:
        """Add another one to this."""
        self.cuts += other.cuts
        self.seconds += other.seconds
        self.fates += other.fates
        self.beyond.update(other.beyond)
        self.survivors.update(other.survivors)
        self.found += other.found[: max(_KEPT - len(self.found), 0)]

    @property
    def bad(self) -> int:
        """How many cuts have shown a fault."""
        return self.cuts - self.fates[Fate.WHOLE]


def cut(
    recording: Recording,
    cuts: int,
    draw: Random,
    folder: Path,
    *,
    lie: Lie = Lie.NONE,
    ends: bool = False,
) -> Tally:
    """Cut the power at random moments of a recording.

    Parameters
    ----------
    recording : Recording
    cuts : int
    draw : Random
        Decides where, and what survives.
    folder : Path
        A scratch folder, best one in memory.
    lie : Lie
        What the disk does not do.
    ends : bool
        Also check what the run left at its end.
    """
    began = time.perf_counter()
    tally = Tally()
    checker = Checker(folder, recording.history, recording.promises)
    disk = Disk(lie)
    done = 0
    for at in sorted(draw.choices(_moments(recording), k=cuts)):
        while done <= at:
            disk = step(disk, recording.events[done])
            done += 1
        outcome = checker.check(disk.cut(draw, TORN), at, resume=draw.random() < 0.5)
        tally.add(outcome, f"cut {tally.cuts} after event {at}")
    if ends:
        outcome = checker.check(recording.history.final, len(recording.events))
        tally.add(outcome, "at the end")
    tally.seconds = time.perf_counter() - began
    return tally


def _moments(recording: Recording) -> list[int]:
    """Return where the power may fail: around each write, sync and promise."""
    begins = recording.history.begins
    places = {at for at, event in enumerate(recording.events) if event.kind in DISK}
    places |= {promise.at for promise in recording.promises.made}
    return sorted(at for at in places if at >= begins)
