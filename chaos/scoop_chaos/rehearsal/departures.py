"""Finds what a script, or a task of it, did not ask for again when it was run again.

This is what resume rests on: only the same calls find their recorded results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from scoop_ft.inspect import ask
from scoop_ft.inspect.questions import Difference
from scoop_ft.inspect.wording import and_more, join, number, places, plural, short, task

from .compare import compare
from .finding import EXAMPLES, GENERATOR, Evidence, Finding, Weight
from .follow import Departure
from .rounds import Round

IN_SCRIPT = (
    "What comes out differently each time belongs in the script's arguments, or in a task, "
    "whose result is recorded: futures.submit(time.time).result(). Random numbers need no task: "
    "the script's own generators, 'random' and numpy's, are seeded for the run."
)
IN_TASK = (
    "What a task draws belongs in a generator made of its arguments, such as "
    f"{GENERATOR}; what else comes out differently each time, into its arguments."
)

SAMPLE = 30  # departures that are loaded and compared

Member = tuple[Round, Departure]


def departures(evidence: Evidence) -> Iterator[Finding]:
    """Tell of parents that asked for something else when they were run again."""
    groups: dict[tuple[bool, str], list[Member]] = defaultdict(list)
    for one in evidence.again:
        for departure in one.departures:
            groups[len(departure.path) > 1, departure.parent].append((one, departure))
    for (nested, parent), members in sorted(groups.items(), key=lambda group: group[0]):
        yield _finding(evidence, nested, parent, members)


def _finding(e: Evidence, nested: bool, parent: str, members: Sequence[Member]) -> Finding:
    who = f"a task of {short(parent, e.script)}" if nested else "the script"
    paths = {departure.path for _, departure in members}
    names = {short(d.new.name, e.script) for _, d in members if d.new is not None}
    rounds = join(dict.fromkeys(one.name for one, _ in members))
    of = f" of {join(sorted(names))}" if names else ""
    return Finding(
        Weight.UNSAFE,
        f"{who} asks for other calls when it is run again",
        f"{who[0].upper()}{who[1:]} asked for other calls when it was run again: "
        f"{number(len(paths), 'task')}{of} ({rounds}).",
        _examples(e, [d for _, d in members], len(paths)),
        "What is recorded for them does not fit: they are computed anew after each restart, and "
        f"the answer is another one. {e.hint(tasks=nested)} {IN_TASK if nested else IN_SCRIPT}",
    )


def _examples(e: Evidence, members: Sequence[Departure], total: int) -> list[str]:
    """Show the first departures that are not all alike."""
    distinct = {d.path: d for d in reversed(members) if d.new is not None}
    looked_at = sorted(distinct.values(), key=lambda d: d.path)[:SAMPLE]
    pairs = [ask.calls(d.old or d.new, d.new) for d in looked_at if d.new is not None]
    kinds: dict[tuple[str, ...], list[str]] = {}
    for departure, difference in zip(looked_at, ask.differences(e.info, pairs), strict=True):
        kind = tuple(where for where, _, _ in difference.where)
        kinds.setdefault(kind, _example(e, departure, difference))
    lines = list(kinds.values())[:EXAMPLES]
    return [*chain(*lines), *and_more(total - len(lines))]


def _example(e: Evidence, departure: Departure, difference: Difference) -> list[str]:
    old, new, where = departure.old, departure.new, task(departure.path)
    assert new is not None
    name = short(new.name, e.script)
    if old is None:
        return [f"{where}, {name}({difference.new}): it had not asked for so many before"]
    if old.function == new.function and difference.where:
        return [f"{where}, {name}, argument {places(difference)}"]
    return [
        f"{where}: before {short(old.name, e.script)}({difference.old}), "
        f"then {name}({difference.new})"
    ]


def constants(evidence: Evidence) -> Iterator[Finding]:
    """Tell of shared constants that were set to something else when the script was run again."""
    changed = compare(evidence.first.table, evidence.replay.table).consts
    if changed:
        names = f"the shared constant{plural(changed)} {join(map(repr, changed))}"
        yield Finding(
            Weight.UNSAFE,
            f"{names} changed when it was run again",
            f"The script set {names} to another value when it was run again.",
            [],
            "Tasks before and after a resume would not work with the same value. "
            f"{evidence.hint()} {IN_SCRIPT}",
        )
