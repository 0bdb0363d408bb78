"""Small words of the rehearsal: numbers, lists, names of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from pathlib import Path


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


def number(count: int, noun: str = "") -> str:
    """Write a number, with its noun."""
    return f"{count:,} {noun}{'s' * (count != 1)}" if noun else f"{count:,}"


def plural(things: Sized) -> str:
    """Return the ending of a noun."""
    return "s" * (len(things) != 1)


def and_more(count: int) -> list[str]:
    """Say that there are more, if so."""
    return [f"… and {number(count)} more"] if count > 0 else []
