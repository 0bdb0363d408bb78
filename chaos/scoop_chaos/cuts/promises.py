"""What the broker has promised to keep, by when, and whether a recovered book keeps it.

A promise is a message that was acknowledged, results whose receiver was told that they are synced,
or the end of the script once agents were told of it.  A book need not hold the very record: what a
completed parent's result stands for may be gone, and nothing is recorded twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from scoop_ft.broker.book import Book
from scoop_ft.broker.tasks import DONE, HELD, LEASED, QUEUED
from scoop_ft.ids import ROOT_ID, short, split_task_id
from scoop_ft.wire import messages as wire

from .speech import Spoken

_OPEN = frozenset({HELD, QUEUED, LEASED})


class Promise(NamedTuple):
    """From this place of the log on, this must survive."""

    at: int
    session: bytes
    message: Any

    def __str__(self) -> str:
        message = self.message
        what = f"{type(message).__name__} {getattr(message, 'n', '')}".strip()
        return f"{what} of session {short(self.session)}"


def _place(promise: Promise) -> int:
    return promise.at


class Promises:
    """All promises of a run's brokers, in order.

    Attributes
    ----------
    made : list of Promise
    heard : list of Promise
        All that a promise could be made of, from the moment at which it was heard.
    """

    def __init__(self, spoken: Iterable[Spoken]) -> None:
        self.made: list[Promise] = []
        self.heard: list[Promise] = []
        self._waiting: dict[bytes, dict[int, Any]] = {}
        self._passed_on: dict[int, list[Any]] = {}
        self._ends: list[Any] = []
        self._submits: dict[bytes, wire.Submit] = {}
        self._turned_away: set[tuple[bytes, bytes]] = set()
        for one in spoken:
            if one.heard:
                self._hear(one)
            else:
                self._say(one)
        self.made.sort(key=_place)

    def by(self, at: int) -> list[Promise]:
        """Return what was promised up to this place of the log."""
        return self.made[: bisect_right(self.made, at, key=_place)]

    def _hear(self, one: Spoken) -> None:
        message = one.message
        number = getattr(message, "n", 0)
        if number:
            self._waiting.setdefault(one.session, {})[number] = message
            self.heard.append(Promise(one.at, one.session, message))
        if isinstance(message, wire.Hello):
            self._waiting.pop(one.session, None)  # what was not acknowledged is said again
        elif isinstance(message, wire.Submit):
            self._submits[message.batch] = message
        elif isinstance(message, wire.End):
            self._ends.append(message)

    def _say(self, one: Spoken) -> None:
        message = one.message
        if isinstance(message, wire.Ack):
            waiting = self._waiting.get(one.session, {})
            for number in sorted(n for n in waiting if n <= message.n):
                self.made.append(Promise(one.at, one.session, waiting.pop(number)))
        elif isinstance(message, wire.Deliver):
            self._passed_on.setdefault(one.line, []).append(message)
        elif isinstance(message, wire.Synced):
            passed_on = self._passed_on.get(one.line, [])
            for place in range(message.delivered):
                if place < len(passed_on) and passed_on[place] is not None:
                    self.made.append(Promise(one.at, one.session, passed_on[place]))
                    passed_on[place] = None
        elif isinstance(message, wire.Stop):
            self.made += [Promise(one.at, one.session, end) for end in self._ends]
        elif isinstance(message, wire.Drop):
            for batch, start, stop in message.spans:
                for index in range(start, stop):
                    self._turned_away.add((one.session, batch + index.to_bytes(4, "big")))

    # ---- keeping --------------------------------------------------------------------------------

    def kept(self, promise: Promise, book: Book) -> bool:
        """Tell whether a book holds what was promised, or what stands for it."""
        check = _CHECKS.get(type(promise.message))
        return check is None or check(self, promise, book)

    def broken(self, promises: Iterable[Promise], book: Book) -> list[Promise]:
        """Return those of some promises that a book does not keep."""
        return [promise for promise in promises if not self.kept(promise, book)]

    def _submit(self, promise: Promise, book: Book) -> bool:
        message: wire.Submit = promise.message
        if message.batch in book.batches or self._may_be_gone(message.parent, book):
            return True
        if (promise.session, message.parent) in self._turned_away:
            return True
        family = book.families.get(message.parent)
        ordinals = range(message.first, message.first + message.count)
        return family is not None and all(family.find(ordinal) for ordinal in ordinals)

    def _results(self, promise: Promise, book: Book) -> bool:
        message: wire.Results | wire.Deliver = promise.message
        batch = book.batches.get(message.batch)
        if batch is None:
            submit = self._submits.get(message.batch)
            return submit is not None and self._may_be_gone(submit.parent, book)
        stretches = (batch.runs(start, min(stop, batch.count)) for start, stop in message.ranges)
        return not any(state in _OPEN for runs in stretches for _, _, state in runs)

    def _may_be_gone(self, parent: bytes, book: Book) -> bool:
        """Tell whether children of this parent are needless: it has ended, or one of its own
        parents has."""
        while parent != ROOT_ID:
            found = book.task(parent)
            if found is not None:
                return found[0].state[found[1]] == DONE
            submit = self._submits.get(split_task_id(parent)[0])
            if submit is None:
                return False
            parent = submit.parent
        return False

    def _define(self, promise: Promise, book: Book) -> bool:
        return promise.message.digest in book.functions

    def _constant(self, promise: Promise, book: Book) -> bool:
        return promise.message.key in book.consts

    def _end(self, promise: Promise, book: Book) -> bool:
        return bool(book.exit_code == promise.message.exit_code)

    def _gone(self, promise: Promise, book: Book) -> bool:
        return promise.message.session not in book.members


_CHECKS: dict[type, Callable[[Promises, Promise, Book], bool]] = {
    wire.Submit: Promises._submit,
    wire.Results: Promises._results,
    wire.Deliver: Promises._results,
    wire.Define: Promises._define,
    wire.SetConst: Promises._constant,
    wire.End: Promises._end,
    wire.Gone: Promises._gone,
}
