"""Why a call that ran more than once may have: the reasons that are allowed, each by its name.

Works on a `Story` alone, so that tests can hand it any.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from scoop_ft.broker.copies import LEAST_S
from scoop_ft.broker.timing import GRACE_S, SILENT_AGENT_S

from ..faults import Fault
from .ledger import Line
from .story import HERE, Harm, Story

SYNCED_S: Final = 2.0  # a result that was there this long before its worker died is recorded
TOLD_S: Final = 5.0  # who was unreachable and is back hears within this what others have done
#: Silence that is shorter than this is nobody's business.
_PATIENCE_S: Final = {
    Fault.AGENT_STOP: SILENT_AGENT_S - 0.5,  # a heartbeat was due at its beginning
    Fault.NET_CUT: 1.0,  # what was lost is sent again when it has lasted as long again
    Fault.NET_ONE_WAY: 1.0,
}
_WORDS: Final = {"killed": "died", "left": "was told to leave"}


class Judge:
    """Finds reasons."""

    def __init__(self, story: Story, starts: dict[str, list[Line]]) -> None:
        self._story = story
        self._starts = starts
        self._copies = story.copies
        self._recorded: dict[str, float] = {}
        for look in sorted(story.looks, key=lambda look: look.at):
            for key in look.done:
                self._recorded.setdefault(key, look.at)
        self._by_numbers: dict[str, list[str]] = defaultdict(list)
        for key in starts:
            self._by_numbers[key.partition(":")[2]].append(key)
        self._ends: dict[tuple[str, int], list[Line]] = defaultdict(list)
        for line in story.lines:
            if line.what in "EX":
                self._ends[line.key, line.pid].append(line)

    def recorded_at(self, key: str) -> float:
        """Return when a call, or one that it descends from, was first seen recorded."""
        return min(self._recorded.get(name, math.inf) for name in self._line_of(key))

    def _line_of(self, key: str) -> Iterable[str]:
        """Return a call and its ancestors: those whose numbers its own begin with."""
        yield key
        numbers = key.partition(":")[2].split(".")
        for size in range(1, len(numbers)):
            yield from self._by_numbers.get(".".join(numbers[:size]), ())

    # ---- a start after its result was recorded --------------------------------------------------

    def after_record(self, line: Line, recorded_at: float) -> tuple[bool, str]:
        """Judge a start after the call, or an ancestor, had a result in the journal."""
        if harm := self._unreachable(line):
            return True, f"recorded meanwhile, its worker could not be told ({harm.fault.value})"
        for name in self._line_of(line.key):
            for copy in self._starts.get(name, ()):
                if name != line.key and copy.at < line.at and (harm := self._unreachable(copy)):
                    return (
                        True,
                        f"its parent ran on where nobody could be told ({harm.fault.value})",
                    )
        return False, (
            f"{line.key} started in {line.pid} at {line.at:.3f}, "
            f"{line.at - recorded_at:.3f} s after it was seen recorded"
        )

    def _unreachable(self, line: Line) -> Harm | None:
        for harm in self._story.harms:
            if (
                harm.hits(line)
                and harm.at <= line.at <= harm.until + TOLD_S
                and _cuts_off(harm, line)
            ):
                return harm
        return None

    # ---- a start after an earlier one -----------------------------------------------------------

    def again(self, first: Line, second: Line) -> tuple[bool, str]:
        """Judge a start after another one whose result was not seen in the journal."""
        between = [
            harm
            for harm in self._story.harms
            if harm.hits(first) and harm.at <= second.at and harm.until + TOLD_S >= first.at
        ]
        end = self._end_of(first, second)
        for harm in between:
            if harm.what in ("killed", "left") and harm.until >= first.at:
                late = self._ended_long_before(end, harm)
                if late:
                    return False, f"{second.key} ran again: {late}"
                when = " just after it" if end is not None and end.at <= harm.at else ""
                return True, f"its worker {_WORDS[harm.what]}{when} ({harm.fault.value})"
        for harm in between:
            if harm.what == "silent" and _cuts_off(harm, first):
                return True, f"its worker was out of reach ({harm.fault.value})"
        if cause := self._unreachable(second):
            return True, f"held by a worker out of reach, run elsewhere ({cause.fault.value})"
        for harm in between:
            if harm.what == "alone" and _cuts_off(harm, first):
                return True, f"its worker had no broker for long ({harm.fault.value})"
        if end is not None and end.what == "X" and self._resumed(first.at, second.at):
            return True, "it had raised: tried again on resume"
        if self._not_known(first, second):
            return True, "its submission was not synced when the broker died"
        if self._is_copy(first, second, end):
            return True, "a second copy, beside a slow worker"
        return False, (
            f"{second.key} started in {first.pid} at {first.at:.3f} and again in {second.pid} at "
            f"{second.at:.3f}, with nothing between that allows it"
        )

    def _is_copy(self, first: Line, second: Line, end: Line | None) -> bool:
        """Was the first still at it, had it been for long, and do the brokers say so?"""
        if self._copies < 1 or end is not None or second.at - first.at < LEAST_S:
            return False
        self._copies -= 1
        return True

    def _end_of(self, first: Line, second: Line) -> Line | None:
        ends = self._ends.get((first.key, first.pid), ())
        return next((end for end in ends if first.at <= end.at <= second.at), None)

    def _ended_long_before(self, end: Line | None, harm: Harm) -> str:
        """Say so when a result should have been recorded before its worker died."""
        if end is None or end.what == "X" or harm.at - end.at <= SYNCED_S:
            return ""
        troubled = any(
            other.at <= harm.at and other.until + TOLD_S >= end.at
            for other in self._story.harms
            if other is not harm and other.what in ("silent", "alone")
        )
        full = any(begin <= harm.at and until >= end.at for begin, until in self._story.full)
        if troubled or full:
            return ""
        return (
            f"it had ended in {end.pid} {harm.at - end.at:.3f} s before its worker died "
            f"({harm.fault.value}), and its result was not recorded"
        )

    def _resumed(self, since: float, until: float) -> bool:
        return any(since <= at <= until for at in self._story.resumes)

    def _not_known(self, first: Line, second: Line) -> bool:
        for death in self._story.broker_deaths:
            if first.at <= death + SYNCED_S and death <= second.at:
                look = next((look for look in self._story.looks if look.at >= death), None)
                if look is not None and first.key not in look.known:
                    return True
        return False


def _cuts_off(harm: Harm, line: Line) -> bool:
    """Tell whether a harm may make others take a process for lost.

    A broker or an agent that is soon back finds the workers of its own host where they were.
    """
    if harm.what == "alone":
        return harm.until - harm.at > GRACE_S or line.place != HERE
    return harm.what == "silent" and harm.until - harm.at > _PATIENCE_S.get(harm.fault, 0.0)
