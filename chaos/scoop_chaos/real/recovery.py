"""How long it takes until a run goes on: stop-watches that wait for a sign in the ledger.

A watch begins with a fault (or with its end: a stopped process that goes on, a resume that is
typed) and ends at the first sign of recovery.  It is *clean* when nothing else was broken from its
begin to its end: only clean ones are figures of that fault.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .ledger import Line

#: Told of new lines of the ledger and the time now: when it had recovered, or None.
Sign = Callable[[Sequence[Line], float], float | None]


@dataclass
class Watch:
    """One recovery under way."""

    kind: str
    since: float
    sign: Sign
    clean: bool = True
    needed: bool = True  # else: also watched, but the run counts as recovered without it


@dataclass
class Times:
    """Recovery times by kind, in seconds."""

    clean: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    disturbed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unended: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, other: Times) -> None:
        """Take in another's."""
        for mine, theirs in ((self.clean, other.clean), (self.disturbed, other.disturbed)):
            for kind, seconds in theirs.items():
                mine[kind].extend(seconds)
        for kind, number in other.unended.items():
            self.unended[kind] += number


class Watches:
    """The watches of one run."""

    def __init__(self) -> None:
        self.times = Times()
        self._open: list[Watch] = []

    def begin(self, kind: str, since: float, sign: Sign, *, needed: bool = True) -> None:
        """Begin to wait for a sign."""
        self._open.append(Watch(kind, since, sign, needed=needed))

    def disturb(self, before: float = math.inf) -> None:
        """Something else was broken: what is under way, begun before then, is not clean."""
        for watch in self._open:
            if watch.since < before:
                watch.clean = False

    @property
    def recovered(self) -> bool:
        """Whether nothing is under way."""
        return not any(watch.needed for watch in self._open)

    def look(self, new: Sequence[Line], now: float) -> list[tuple[str, float]]:
        """Show the watches what is new; return the kinds that ended, and their seconds."""
        ended = []
        for watch in list(self._open):
            at = watch.sign([line for line in new if line.at >= watch.since], now)
            if at is not None:
                self._open.remove(watch)
                seconds = max(0.0, at - watch.since)
                where = self.times.clean if watch.clean else self.times.disturbed
                where[watch.kind].append(seconds)
                ended.append((watch.kind, seconds))
        return ended

    def give_up(self) -> None:
        """The run (or its launcher) has ended: what is open will not be seen."""
        for watch in self._open:
            self.times.unended[watch.kind] += 1
        self._open.clear()


# ---- signs --------------------------------------------------------------------------------------


def first_line(matches: Callable[[Line], bool]) -> Sign:
    """Wait for the first line that matches."""

    def sign(new: Sequence[Line], now: float) -> float | None:
        return next((line.at for line in new if matches(line)), None)

    return sign


def all_of(*signs: Sign) -> Sign:
    """Wait for several signs, the last of which counts."""
    seen: list[float | None] = [None] * len(signs)

    def sign(new: Sequence[Line], now: float) -> float | None:
        for number, one in enumerate(signs):
            if seen[number] is None:
                seen[number] = one(new, now)
        found = [at for at in seen if at is not None]
        return max(found) if len(found) == len(signs) else None

    return sign


def condition(holds: Callable[[], bool]) -> Sign:
    """Wait until something is so; the time is that of the look."""
    return lambda new, now: now if holds() else None


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
