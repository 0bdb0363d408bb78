"""How people name a task: its place in the tree of calls, ``3.2``, counted from 1.

``3.2`` is the second child of the script's third task, in order of submission.  A task whose place
was taken by another call when its parent was run again is ``3.2~1``: the first of those that were
recorded at that place before.  The id that `status` and errors show, ``0000000000a3:7``, is
understood too.

Translates between these names and the tasks of a `Book`; decides nothing, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import RunError
from ..ids import ROOT_ID, short, task_id
from .book import Book
from .families import Family
from .tasks import VOID, Batch

_PLACE = re.compile(r"[1-9]\d*(~[1-9]\d*)?(\.[1-9]\d*(~[1-9]\d*)?)*")
_ID = re.compile(r"([0-9a-f]{12}):(\d+)")


class Step(NamedTuple):
    """One step down the tree: the child of an ordinal (from 0), or an older one (from 1)."""

    ordinal: int
    older: int = 0

    def __str__(self) -> str:
        return f"{self.ordinal + 1}~{self.older}" if self.older else str(self.ordinal + 1)


Path = tuple[Step, ...]


def show(path: Path) -> str:
    """Write a path as people do."""
    return ".".join(map(str, path))


def parse(text: str) -> Path:
    """Read a path as people write it.

    Raises
    ------
    RunError
        It is none.
    """
    if not _PLACE.fullmatch(text):
        raise RunError(
            f"{text} is no name of a task: '3' is the script's third task, '3.2' the second "
            "one that this one has submitted"
        )
    steps = []
    for step in text.split("."):
        ordinal, _, older = step.partition("~")
        steps.append(Step(int(ordinal) - 1, int(older or 0)))
    return tuple(steps)


def find(book: Book, path: Path) -> tuple[Batch, int]:
    """Return the recorded task at the end of a path.

    Raises
    ------
    RunError
        There is none: its message says how far down the path there is one.
    """
    parent, found = ROOT_ID, None
    for depth, step in enumerate(path):
        family = book.families.get(parent)
        found = _child(family, step) if family is not None else None
        if found is None:
            raise RunError(_no_such_task(path, depth))
        parent = task_id(found[0].id, found[1])
    if found is None:
        raise RunError("the script itself is no task: '1' is its first one")
    return found


def locate(book: Book, text: str) -> tuple[Batch, int]:
    """Return the task that somebody names, by its place or by the id that errors show.

    Raises
    ------
    RunError
        There is none, or there are several.
    """
    named = _ID.fullmatch(text)
    if named is None:
        return find(book, parse(text))
    last, index = named[1], int(named[2])
    found = [b for b in book.batches.values() if short(b.id) == last and index < b.count]
    found = [batch for batch in found if batch.state[index] != VOID]
    if len(found) == 1:
        return found[0], index
    if not found:
        raise RunError(f"there is no task {text} in the journal (any more)")
    names = ", ".join(name(book, batch, index) for batch in found[:5])
    raise RunError(f"{len(found)} tasks are called {text}: name one by its place ({names})")


def path_of(book: Book, batch: Batch, index: int) -> Path:
    """Return the path of a recorded task."""
    steps: list[Step] = []
    while True:
        steps.append(_step(book, batch, index))
        above = book.task(batch.parent) if batch.parent != ROOT_ID else None
        if above is None:
            return tuple(reversed(steps))
        batch, index = above


def name(book: Book, batch: Batch, index: int) -> str:
    """Return the name of a recorded task."""
    return show(path_of(book, batch, index))


def of_parent(book: Book, parent: bytes) -> tuple[str, str]:
    """Return the name and the function of a parent; both empty for the script."""
    found = None if parent == ROOT_ID else book.task(parent)
    return ("", "") if found is None else (name(book, *found), book.function_of(*found))


def of_child(above: str, ordinal: int) -> str:
    """Return the name of a child of the parent that has this one (empty: of the script)."""
    return f"{above}.{ordinal + 1}" if above else str(ordinal + 1)


def _child(family: Family, step: Step) -> tuple[Batch, int] | None:
    if not step.older:
        return family.find(step.ordinal)
    for number, found in enumerate(_older(family, step.ordinal), 1):
        if number == step.older:
            return found
    return None


def _older(family: Family, ordinal: int) -> Iterator[tuple[Batch, int]]:
    """Yield the tasks that were recorded at an ordinal and have none now, the oldest first."""
    for batch in family.batches.values():
        index = ordinal - batch.first
        inside = 0 <= index < batch.count
        if inside and batch.is_displaced(index) and batch.state[index] != VOID:
            yield batch, index


def _step(book: Book, batch: Batch, index: int) -> Step:
    ordinal = batch.first + index
    if batch.places is None:
        return Step(ordinal)
    if batch.places[index] >= 0:
        return Step(batch.places[index])
    for number, found in enumerate(_older(book.family(batch.parent), ordinal), 1):
        if found == (batch, index):
            return Step(ordinal, number)
    raise LookupError(f"{batch!r}: index {index} is no task")


def _no_such_task(path: Path, depth: int) -> str:
    wanted = show(path[: depth + 1])
    if not depth:
        return f"there is no task {wanted}: the script has submitted none of this number"
    return (
        f"there is no task {wanted} in the journal: task {show(path[:depth])} has not submitted "
        "it, or has completed, and then its result stands for those"
    )
