"""Finds functions that gave other results for the same arguments.

No harm to resume, which keeps the first result; but users want to know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scoop_ft.inspect import ask
from scoop_ft.inspect.questions import Difference, Pair
from scoop_ft.inspect.wording import number, places, short, task

from .finding import EXAMPLES, GENERATOR, Evidence, Finding, Weight
from .rounds import Round
from .table import answer_at, call_at

SAMPLE = 50  # results of a function that are loaded and compared


class _Member(NamedTuple):
    """A task whose result has other bytes in another round: its ordinals there and there."""

    other: Round
    first: int
    there: int


def results(evidence: Evidence) -> Iterator[Finding]:
    """Tell of functions with other results for the same arguments."""
    total: dict[str, int] = defaultdict(int)
    differ: dict[str, list[_Member]] = defaultdict(list)
    for other, comparison in evidence.compared:
        for name, count in comparison.compared.items():
            total[name] += count
        for a, b in comparison.results:
            differ[evidence.first.table.rows[a].name].append(_Member(other, a, b))
    for name, members in differ.items():
        yield from _finding(evidence, name, members, total[name])


def _finding(e: Evidence, name: str, members: Sequence[_Member], total: int) -> Iterator[Finding]:
    sample = members[:SAMPLE]
    found = ask.differences(e.info, [_results(e, member) for member in sample])
    unequal = [pair for pair in zip(sample, found, strict=True) if not pair[1].equal]
    if not unequal:
        return  # other bytes of equal values
    seen_all = len(sample) == len(members)
    count = len(unequal) if seen_all or len(unequal) < len(sample) else len(members)
    plain = short(name, e.script)
    least = "" if seen_all or count == len(members) else "at least "
    distinct = {pair[0].first: pair for pair in reversed(unequal)}
    shown = [distinct[first] for first in sorted(distinct)][:EXAMPLES]
    yield Finding(
        Weight.BUT,
        f"{plain} gives other results each time",
        f"{plain} gave other results for the same arguments: "
        f"{least}{number(count)} of {number(total)} compared.",
        _examples(e, plain, shown),
        f"So {plain} is not a function of its arguments. That does not harm resume, since a "
        "recorded result is never computed again; but no two runs have the same answer."
        f"{_cure(e) if plain != name else ''}",
    )


def _cure(e: Evidence) -> str:
    """Say what to do about a function of the script."""
    return (
        f" {e.hint(tasks=True)} To have the same answer each time, draw from a generator made of "
        f"the arguments, such as {GENERATOR}."
    )


def _examples(e: Evidence, plain: str, shown: Sequence[tuple[_Member, Difference]]) -> list[str]:
    with e.view(e.first) as view:
        asked = [ask.calls(call_at(e.first.book, view, member.first)) for member, _ in shown]
    return [
        f"{task((member.first,))}, {plain}({call.old}): {places(difference, 'its result')}"
        for (member, difference), call in zip(shown, ask.differences(e.info, asked), strict=True)
    ]


def _results(e: Evidence, member: _Member) -> Pair:
    with e.view(e.first) as one, e.view(member.other) as two:
        return ask.answers(
            answer_at(e.first.book, one, member.first),
            answer_at(member.other.book, two, member.there),
        )
