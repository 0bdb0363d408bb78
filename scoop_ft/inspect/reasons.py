"""What a resumed run would run again, each task with a named reason.

Looks at a journal nobody need be running; decides nothing for the broker, which follows the same
records (`broker.replay`, `Book.apply_retry`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from scoop_journal import View

from ..broker import departures, naming
from ..broker.book import Book
from ..broker.departures import Departure
from ..broker.tasks import CANCELLED, DONE, FAILED, VOID, Batch
from ..wire.codec import decode_header
from ..wire.messages import Submit

NEVER_RECORDED: Final = "never recorded"
FUNCTION_CHANGED: Final = "function changed"
ARGUMENT_DIFFERS: Final = "argument differs"
FAILED_BEFORE: Final = "failed before"
CANCELLED_BEFORE: Final = "cancelled before"
PARENT_DEPARTED: Final = "parent departed from its order"

MEANS: Final = {
    NEVER_RECORDED: "no result of it is recorded: it had not ended, or only its worker knew",
    FUNCTION_CHANGED: "its function was edited since; a resume keeps or redoes it, as it is told",
    ARGUMENT_DIFFERS: "its parent, run again, called the same function with other arguments",
    FAILED_BEFORE: "it had ended in an exception, and is tried again",
    CANCELLED_BEFORE: "it had been cancelled, and runs when it is asked for again",
    PARENT_DEPARTED: "its parent, run again, asked for it in place of another recorded call",
}

EXAMPLES = 3
LEFT: Final = "left"  # recorded, and not asked for when the parent was last run


class Why(NamedTuple):
    """Why a task runs again, and what it is in place of (for two of the reasons)."""

    reason: str
    departure: Departure | None = None


class Reasons:
    """The reasons of all tasks of a journal.

    Parameters
    ----------
    book, view
        The journal.
    changed : collection of bytes
        Digests of the functions that were edited since.
    """

    def __init__(self, book: Book, view: View, changed: Collection[bytes] = ()) -> None:
        self._book = book
        self._view = view
        self._changed = frozenset(changed)
        self._functions: tuple[bytes, list[bytes]] = (b"", [])  # of the batch last looked at
        self.departures: list[tuple[bytes, Departure]] = [
            (parent, one)
            for parent in book.departing
            for one in departures.of_family(book.families[parent], departures.ALL)
        ]
        self._new = {(one.new[0].id, one.new[1]): one for _, one in self.departures}

    def of(self, batch: Batch, index: int) -> Why | None:
        """Return why a task would run; None: its result is there."""
        state = batch.state[index]
        if state == DONE:
            return Why(FUNCTION_CHANGED) if self._is_changed(batch, index) else None
        if state == FAILED:
            return Why(FAILED_BEFORE)
        if state == CANCELLED:
            return Why(CANCELLED_BEFORE)
        departure = self._new.get((batch.id, index))
        if departure is None:
            return Why(NEVER_RECORDED)
        return Why(self.of_departure(departure), departure)

    def of_departure(self, one: Departure) -> str:
        """Name what became of a recorded call: other arguments, or another call altogether."""
        same = self.function(*one.old) == self.function(*one.new)
        return ARGUMENT_DIFFERS if same else PARENT_DEPARTED

    def all(self) -> Iterator[tuple[Batch, int, str]]:
        """Yield each task with its reason, empty where none runs, or `LEFT`."""
        for batch in self._book.batches.values():
            for index in range(batch.count):
                if batch.state[index] == VOID:
                    continue
                if batch.is_displaced(index):
                    yield batch, index, LEFT
                    continue
                why = self.of(batch, index)
                yield batch, index, why.reason if why is not None else ""

    def _is_changed(self, batch: Batch, index: int) -> bool:
        return bool(self._changed) and self.function(batch, index) in self._changed

    def function(self, batch: Batch, index: int) -> bytes:
        """Return the digest of the function that a task calls."""
        if self._functions[0] != batch.id:
            self._functions = batch.id, functions(self._view, batch)
        return self._functions[1][index]


def functions(view: View, batch: Batch) -> list[bytes]:
    """Return the digest of each task's function."""
    if len(batch.functions) == 1:
        return batch.functions * batch.count
    which = memoryview(decode_header(view.header(batch.seq), Submit).which).cast("H")
    return [batch.functions[k] for k in which]


def by_function(book: Book, view: View, changed: Collection[bytes] = ()) -> list[dict[str, Any]]:
    """Say, function by function, what a resumed run would reuse and what would run again.

    Returns
    -------
    list of dict
        ``function``, ``reused`` and ``again`` (numbers of tasks), ``why`` (of the second, in
        words), ``reasons`` (the same, as numbers by reason), ``left`` (recorded, and not asked for
        when their parent was last run).
    """
    counts: dict[str, dict[str, int]] = {}
    reasons = Reasons(book, view, changed)
    for batch, index, reason in reasons.all():
        row = counts.setdefault(book.function_name(reasons.function(batch, index)), {})
        row[reason] = row.get(reason, 0) + 1
    rows = []
    for name, found in sorted(counts.items()):
        reused, left = found.pop("", 0), found.pop(LEFT, 0)
        why = "; ".join(f"{count:,} {reason}" for reason, count in found.items())
        again = sum(found.values())
        rows.append(
            {"function": name, "reused": reused, "again": again, "why": why,
             "reasons": found, "left": left}
        )  # fmt: skip
    return rows


def by_reason(reasons: Reasons, book: Book) -> dict[str, dict[str, Any]]:
    """Group what would run again by reason: how many, and the names of the first."""
    groups: dict[str, dict[str, Any]] = {}
    for batch, index, reason in reasons.all():
        if reason and reason != LEFT:
            group = groups.setdefault(reason, {"count": 0, "examples": []})
            group["count"] += 1
            if group["count"] <= EXAMPLES:
                group["examples"].append(naming.name(book, batch, index))
    return groups
