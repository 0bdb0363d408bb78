"""Where a parent that is run again does not submit what is recorded.

A recorded task is *lost* when the present run of its parent has submitted something else at its
ordinal, and has not submitted it anywhere else (yet: programs that submit in completion order
are legal, and find all of theirs in the end).  A call is *fresh* when it was found nowhere in the
record.  A fresh call beside a lost task is a *departure*.  All of it follows from the BATCH, BIND
and RETRY records, so a restarted broker, and whoever reads the journal, count the same.

Pure: counts, and pairs what was lost with what came instead; headers are read through a port.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ..ids import SESSION_BYTES
from ..wire.messages import Submit
from .families import Family
from .records import Departed
from .tasks import LOST, VOID, Batch

if TYPE_CHECKING:
    from .book import Book

SHOWN = 10
ALL = 1 << 62

Task = tuple[Batch, int]


class Departure(NamedTuple):
    """A lost task, and the call that was recorded as new in its place."""

    ordinal: int
    old: Task
    new: Task


# ---- what the book does ------------------------------------------------------------------------


def begin(family: Family, m: Submit) -> None:
    """A batch of this family is recorded: another session is another run of the parent."""
    session = m.batch[:SESSION_BYTES]
    if family.session != session:
        if family.session:
            end(family)
        family.session = session
    family.fresh += m.count
    family.claims = family.claims or bool(m.claimed)


def end(family: Family) -> None:
    """The present run of the parent is over: the next one has not departed from anything."""
    family.session = b""
    family.fresh = 0
    family.claims = False
    for batch in family.batches.values():
        batch.forsake()


# ---- counting and pairing ----------------------------------------------------------------------


def total(book: Book) -> int:
    """Return how many departures there are."""
    living = sum(count(book.families[parent]) for parent in book.departing)
    return living + sum(m.count for _, m in book.strays)


def count(family: Family) -> int:
    """Return how often the present run of a parent has departed.

    One that runs its calls itself has found no record when it began (that of another attempt came
    up since), and tells only of some of them: nobody can say what it has left out.
    """
    if family.claims:
        return 0
    lost, fresh = 0, family.fresh
    for batch in family.batches.values():
        if _is_of_this_run(family, batch):
            fresh -= batch.lost  # run twice in one session, its parent has left it out again
        else:
            lost += batch.lost
    return min(lost, fresh)


def of_family(family: Family, limit: int) -> list[Departure]:
    """Return the first departures of a parent, in the order of their ordinals.

    A lost task is shown with the fresh call at its ordinal, else with one that has taken no lost
    task's ordinal.
    """
    limit = min(limit, count(family))
    if not limit:
        return []
    lost = list(islice(_lost(family), 2 * limit if limit < ALL else None))
    ordinals = {ordinal for ordinal, _ in lost}
    paired, rest = [], []
    for ordinal, old in lost:
        new = family.find(ordinal)
        if new is not None and _is_fresh(family, *new):
            paired.append(Departure(ordinal, old, new))
        else:
            rest.append(old)
    others = (one for one in _fresh(family) if one[0] not in ordinals)
    paired += [Departure(at, old, new) for old, (at, new) in zip(rest, others, strict=False)]
    return sorted(paired[:limit], key=lambda one: one.ordinal)


def _lost(family: Family) -> Iterator[tuple[int, Task]]:
    for batch in family.batches.values():
        if batch.lost and batch.places is not None and not _is_of_this_run(family, batch):
            for index, place in enumerate(batch.places):
                if place == LOST and batch.state[index] != VOID:
                    yield batch.first + index, (batch, index)


def _fresh(family: Family) -> Iterator[tuple[int, Task]]:
    for batch in family.batches.values():
        for index in range(batch.count):
            if _is_fresh(family, batch, index):
                for start, _, shift in family.ordinals(batch, index, index + 1):
                    yield start + shift, (batch, index)


def _is_fresh(family: Family, batch: Batch, index: int) -> bool:
    return _is_of_this_run(family, batch) and batch.state[index] != VOID


def _is_of_this_run(family: Family, batch: Batch) -> bool:
    return batch.id[:SESSION_BYTES] == family.session


# ---- saying ------------------------------------------------------------------------------------


def report(book: Book) -> dict[str, Any]:
    """Return the keys of `status` that tell of departures: their number, and the first ones."""
    found = total(book)
    if not found and not book.strays:
        return {"mismatches": 0, "divergences": []}
    return {"mismatches": found, "divergences": first(book)}


def first(book: Book) -> list[dict[str, Any]]:
    """Return the first departures as plain values."""
    from . import naming

    shown = [_departed(book, m) for _, m in book.strays[:SHOWN]]
    for parent in book.departing:
        above, parent_function = naming.of_parent(book, parent)
        for one in of_family(book.families[parent], SHOWN - len(shown)):
            shown.append(
                {
                    "task": naming.of_child(above, one.ordinal),
                    "parent": above,
                    "parent_function": parent_function,
                    "ordinal": one.ordinal,
                    "function_old": book.function_of(*one.old),
                    "function_new": book.function_of(*one.new),
                    "old": naming.name(book, *one.old),
                    "new": naming.name(book, *one.new),
                }
            )
    return shown


def _departed(book: Book, m: Departed) -> dict[str, Any]:
    """Return what is kept of a departure whose batches do not tell of it (any more)."""
    return {
        "task": m.task,
        "parent": m.task.rpartition(".")[0],
        "parent_function": m.parent_function,
        "ordinal": m.ordinal,
        "function_old": book.function_name(m.old_function),
        "function_new": book.function_name(m.new_function),
        "old": "",
        "new": "",
    }
