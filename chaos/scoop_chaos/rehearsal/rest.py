"""Finds what else was not the same: ends, outputs, the order of calls, calls of other runs."""

from __future__ import annotations

from collections.abc import Iterator

from scoop_ft.inspect import ask
from scoop_ft.inspect.wording import and_more, join, number, places, short, task

from . import outputs
from .compare import Comparison
from .finding import EXAMPLES, Evidence, Finding, Weight
from .outputs import Printed
from .rounds import Round
from .table import call_at

TAIL = 6


def ends(e: Evidence) -> Iterator[Finding]:
    """Tell of rounds that ended otherwise than undisturbed."""
    for one in e.again:
        if one.code == e.first.code:
            continue
        how = f"ended with exit code {one.code}"
        if one.code is None:
            how = f"had not ended after {one.took_s:.0f} s"
        yield Finding(
            Weight.UNSAFE,
            f"{one.name} {how}",
            f"{one.name.capitalize()} {how}; undisturbed it was exit code {e.first.code}.",
            one.errors.rstrip().splitlines()[-TAIL:],
        )


def other_calls(e: Evidence, *, random: bool) -> Iterator[Finding]:
    """Tell of calls that another run did not have, though no replay departed.

    Parameters
    ----------
    random : bool
        There were other results for the same arguments: such calls may follow from them.
    """
    differ = [(one, c) for one, c in e.compared if c.calls or c.missing or c.extra]
    if not differ:
        return
    rounds = join([one.name for one, _ in differ])
    one, comparison = differ[0]
    details = _calls(e, one, comparison)
    if random:
        yield Finding(
            Weight.FINE,
            "",
            f"The script asked for other calls than undisturbed ({rounds}), as follows from the "
            "other results.",
            details,
            "Run again on what is recorded, it asked for the same calls each time: resume is safe.",
        )
        return
    yield Finding(
        Weight.UNSAFE,
        "the script asks for other calls in each run",
        f"The script asked for other calls than undisturbed ({rounds}), though all results "
        "were the same.",
        details,
        "So its calls depend on something else: a date, a file that it writes, the order in which "
        f"results came. {e.hint()}",
    )


def _calls(e: Evidence, other: Round, comparison: Comparison) -> list[str]:
    shown = comparison.calls[:EXAMPLES]
    lines = []
    with e.view(e.first) as one, e.view(other) as two:
        pairs = [(call_at(e.first.book, one, a), call_at(other.book, two, b)) for a, b in shown]
    found = ask.differences(e.info, [ask.calls(*pair) for pair in pairs])
    for (a, _), (old, new), difference in zip(shown, pairs, found, strict=True):
        name = short(new.name, e.script)
        if old.function == new.function and difference.where:
            lines.append(f"{task((a,))}, {name}, argument {places(difference)}")
        else:
            was = short(old.name, e.script)
            lines.append(f"{task((a,))}: {was}({difference.old}) -> {name}({difference.new})")
    lines += and_more(len(comparison.calls) - len(shown))
    for ordinals, word in ((comparison.missing, "fewer"), (comparison.extra, "more")):
        if ordinals:
            lines.append(f"{number(len(ordinals), 'task')} {word} than undisturbed")
    return lines


def printed(e: Evidence, *, explained: bool) -> Iterator[Finding]:
    """Tell of outputs that were not the same; ``explained``: by other findings."""
    of_tasks = e.first.task_lines.union(*(one.task_lines for one in e.again))
    first = outputs.own(e.first.last_output, of_tasks)
    other, moved = [], []
    for one in e.again:
        last = outputs.own(one.last_output, of_tasks)
        how = outputs.compare(first, outputs.own(one.output, of_tasks), last)
        if how is Printed.OTHER:
            other.append((one.name, last))
        elif how is Printed.OTHER_ORDER:
            moved.append(one.name)
    if other:
        why = ", as follows from the above" if explained else ""
        yield Finding(
            Weight.FINE if explained else Weight.BUT,
            "it prints something else each time",
            f"It printed something else{why} ({join(name for name, _ in other)}):",
            outputs.difference(first, other[0][1]),
            ""
            if explained
            else "Its calls and their results were the same, so this comes from the rest of the "
            f"script. {e.hint()}",
        )
    if moved:
        yield Finding(
            Weight.FINE, "", f"It printed the same lines in another order ({join(moved)}).",
            [], "That is as it should be when they follow the order of completion.",
        )  # fmt: skip


def order(e: Evidence) -> Iterator[Finding]:
    """Tell of calls that came in another order."""
    moved = sum(one.moved for one in e.again) + sum(c.moved for _, c in e.compared)
    if moved:
        yield Finding(
            Weight.FINE, "", "It asked for some of its calls in another order.",
            [], "That is harmless: they were found by their content.",
        )  # fmt: skip


def late(e: Evidence) -> Iterator[Finding]:
    """Tell of kills that hit nobody."""
    count = sum(len(one.late) for one in e.others)
    if not count:
        return
    total = count + sum(len(one.struck) for one in e.others)
    yield Finding(
        Weight.FINE if count < total else Weight.BUT,
        "no kill came in time: it was only run again on what it had recorded",
        f"{number(count)} of {number(total)} kills came too late: the run had ended.",
        [],
        "Give the script more to do to see more, or rehearse more rounds.",
    )
