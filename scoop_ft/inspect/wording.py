"""Small words for people: numbers, lists, names of tasks, and where two values differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

from .questions import Difference

WIDTH = 70
NAMED = 3  # departures in a few lines


def task(path: Sequence[int]) -> str:
    """Name a task by its place, counted from 1 as people do: ``task 17``, nested ``task 17.3``."""
    return "task " + ".".join(str(ordinal + 1) for ordinal in path)


def short(name: str, script: Path) -> str:
    """Leave out the module of a function that is the script's own."""
    return name.removeprefix(f"{script.stem}.")


def join(words: Iterable[str]) -> str:
    """Join words as in a sentence."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def first(names: Sequence[str], most: int) -> str:
    """Name the first of several things, and say how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def number(count: int, noun: str = "") -> str:
    """Write a number, with its noun."""
    return f"{count:,} {noun}{'s' * (count != 1)}" if noun else f"{count:,}"


def plural(things: Sized) -> str:
    """Return the ending of a noun."""
    return "s" * (len(things) != 1)


def and_more(count: int) -> list[str]:
    """Say that there are more, if so."""
    return [f"… and {number(count)} more"] if count > 0 else []


def places(difference: Difference, of: str = "") -> str:
    """Write the places at which two calls or results differ, as many as fit into a line.

    Parameters
    ----------
    difference : Difference
    of : str, optional
        What the places are in, for those that have no name of their own.
    """
    if not difference.where:
        return f"{difference.old} -> {difference.new}"
    parts = [
        f"{of if where[:1] in '.[' else ''}{where}: {a} -> {b}" if where else f"{a} -> {b}"
        for where, a, b in difference.where
    ]
    text = parts[0]
    for part in parts[1:]:
        if len(text) + len(part) > WIDTH:
            return f"{text}; and more"
        text += f"; {part}"
    return text


def departed(run: str, mismatches: int, divergences: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell of calls that are not those that are recorded, the first few by name.

    Parameters
    ----------
    run : str
        The run, as commands name it.
    mismatches, divergences
        What `status` says.
    """
    if not divergences:
        return []
    what = "were not those that are recorded, and count as new"
    if mismatches == 1:
        what = "was not the one that is recorded, and counts as new"
    if not mismatches:
        what = "is not the one that is recorded"
    shown = divergences[:NAMED]
    lines = [f"{number(mismatches or 1, 'call')} {what}:"]
    lines += [f"  task {one['task']}, {_of(one)}: {_function(one)}" for one in shown]
    lines += [f"  {line}" for line in and_more(mismatches - len(shown))]
    lines.append(f"  what differs, says 'scoop-ft explain {run} {divergences[0]['task']}'")
    return lines


def _of(one: Mapping[str, Any]) -> str:
    above = f"task {one['parent']}, {one['parent_function']}" if one["parent"] else "the script"
    return f"ordinal {one['ordinal']} of {above}"


def _function(one: Mapping[str, Any]) -> str:
    old, new = one["function_old"], one["function_new"]
    return str(new) if old == new else f"{new} in place of {old}"
