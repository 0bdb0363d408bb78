"""The account of a run: how often its calls ran, and what of that may not be.

Works on what was written down; starts, kills and reads nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ..violations import Violation
from .judge import Judge
from .ledger import ROOT, Line
from .story import Story

SHOWN: Final = 5  # of one kind of finding


@dataclass
class Account:
    """What the story comes to."""

    tasks: int = 0
    executions: int = 0
    again: Counter[str] = field(default_factory=Counter)  # reason -> how often
    violations: list[Violation] = field(default_factory=list)


def settle(story: Story) -> Account:
    """Explain each execution beyond the first, or report it."""
    account = Account()
    starts: dict[str, list[Line]] = defaultdict(list)
    for line in story.lines:
        if line.what == "S" and line.key != ROOT:
            starts[line.key].append(line)
    account.tasks = len(starts)
    account.executions = sum(map(len, starts.values()))
    judge = Judge(story, starts)
    for key, copies in starts.items():
        copies.sort(key=lambda line: line.at)
        recorded_at = judge.recorded_at(key)
        for number, line in enumerate(copies):
            if recorded_at < line.at:
                _settle(account, judge.after_record(line, recorded_at), 2)
            elif number:
                _settle(account, judge.again(copies[number - 1], line), 15)
    account.violations = _shortened(account.violations)
    return account


def _settle(account: Account, verdict: tuple[bool, str], invariant: int) -> None:
    allowed, text = verdict
    if allowed:
        account.again[text] += 1
    else:
        account.violations.append(Violation(invariant, text))


def _shortened(found: Sequence[Violation]) -> list[Violation]:
    """Keep some of each kind: one cause makes many alike."""
    kept: list[Violation] = []
    for number in sorted({violation.invariant for violation in found}):
        alike = [violation for violation in found if violation.invariant == number]
        kept += alike[:SHOWN]
        if len(alike) > SHOWN:
            kept.append(Violation(number, f"and {len(alike) - SHOWN} more like these"))
    return kept
