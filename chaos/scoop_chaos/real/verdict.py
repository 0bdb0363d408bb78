"""What a run that has ended is held to besides its tasks: its answer and its journal.

Also leaves what was done beside what came of it, for who looks into a violation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import scoop_journal

from ..violations import Violation
from .plan import TrialPlan
from .story import Story
from .victim import Victim


def of_answer(victim: Victim, answer: str) -> Iterator[Violation]:
    """Compare what was printed with the answer of an undisturbed run."""
    *before, last = victim.outputs()
    if last == "" and before and "is finished" in victim.errors:
        *before, last = before
    if not replays(last, answer):
        yield Violation(6, f"it printed {_short(last)}, not {_short(answer)}")
    for text in before:
        if not replays(text + answer, answer):
            yield Violation(6, f"it printed {_short(text)}, no part of {_short(answer)}")


def of_journal(victim: Victim) -> Iterator[Violation]:
    """Check every record of the journal."""
    report = scoop_journal.verify(victim.directory.journal)
    if not report.ok:
        yield Violation(13, f"its journal is not sound: {report.problem}")


def replays(text: str, answer: str) -> bool:
    """Tell whether a text ends with the answer, after nothing but beginnings of it.

    A script that was run again prints again what it had printed.
    """
    if not text.endswith(answer):
        return False
    reached = {0}
    for at in range(len(text) - len(answer) + 1):
        if at in reached:
            size = _common(text, at, answer)
            reached.update(range(at + 1, at + size + 1))
    return len(text) - len(answer) in reached


def _common(text: str, at: int, answer: str) -> int:
    size = 0
    while size < len(answer) and at + size < len(text) and text[at + size] == answer[size]:
        size += 1
    return size


def write_story(folder: Path, plan: TrialPlan, story: Story, violations: Sequence[str]) -> None:
    """Write ``story.json``: what was drawn, what was done and when, what did not hold."""
    harms = [
        {**vars(harm), "fault": harm.fault.value, "pids": sorted(harm.pids)}
        for harm in sorted(story.harms, key=lambda harm: harm.at)
    ]
    told = {
        "plan": plan.title,
        "seed": plan.seed,
        "violations": violations,
        "harms": harms,
        "resumes": story.resumes,
        "broker_deaths": story.broker_deaths,
        "full": story.full,
    }
    (folder / "story.json").write_text(json.dumps(told, indent=1))


def _short(text: str) -> str:
    return repr(text if len(text) < 200 else f"{text[:90]}...{text[-90:]}")
