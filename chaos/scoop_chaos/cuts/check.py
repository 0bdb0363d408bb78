"""Opens what a cut has left, as a broker would, and says what does not hold.

The journal's own verification, the broker's own recovery and its own invariants; then what the
file's history and the promises say.  Each is the product's code on a real file.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from scoop_journal import Journal, JournalDamaged, JournalError, Record

from scoop_chaos.violations import Violation
from scoop_ft.broker.__main__ import INCARNATION
from scoop_ft.broker.book import Book
from scoop_ft.broker.core import Broker
from scoop_ft.broker.invariants import violations
from scoop_ft.broker.records import Kind
from scoop_ft.ids import short
from scoop_ft.wire.codec import decode_header
from scoop_ft.wire.messages import Define, End, Results

from .history import Digest, History
from .promises import Promise, Promises

CAUSAL, ACKNOWLEDGED, RECOVERED, VERIFIED = 7, 8, 10, 13  # docs/invariants.md


class Fate(str, Enum):
    """What became of a journal."""

    WHOLE = "all that must be there is there"
    LOST = "something acknowledged is gone"
    DAMAGED = "it is refused as damaged"
    FOREIGN = "it is refused as no journal: what made it one is gone"
    MIXED = "it holds what it never held"
    UNSOUND = "its state does not hold together"


class Outcome(NamedTuple):
    """What was found.

    Attributes
    ----------
    beyond : int
        How many transactions that were not yet safe have survived; negative: how many that were
        safe have not.
    survivors : int
        How many messages that were heard and not acknowledged have survived.
    chances : int
        How many there were.
    """

    fate: Fate
    found: list[Violation]
    beyond: int = 0
    survivors: int = 0
    chances: int = 0


class Checker:
    """Checks journals of one run.

    Parameters
    ----------
    folder : Path
        Where they are laid out: not on the disk, so that this is fast.
    """

    def __init__(self, folder: Path, history: History, promises: Promises) -> None:
        self._folder = folder
        self._history = history
        self._promises = promises
        folder.mkdir(exist_ok=True)

    def check(self, image: bytes, at: int, *, resume: bool = False) -> Outcome:
        """Check a journal's file.

        Parameters
        ----------
        image : bytes
            What was left of it.
        at : int
            The last event of the log before the cut.
        resume : bool
            Recover as after ``scoop-ft resume``, not as after the broker's death alone.
        """
        (self._folder / "data.mdb").write_bytes(image)
        try:
            journal = Journal.open(self._folder, reserve_bytes=0)
        except JournalError as error:
            damaged = isinstance(error, JournalDamaged)
            fate = Fate.DAMAGED if damaged else Fate.FOREIGN
            return Outcome(fate, [Violation(VERIFIED, str(error))])
        with journal:
            try:
                return self._open(journal, at, resume)
            except JournalDamaged as error:  # in a payload, which is read only now
                return Outcome(Fate.DAMAGED, [Violation(VERIFIED, str(error))])

    def _open(self, journal: Journal, at: int, resume: bool) -> Outcome:
        digest = Digest(journal.blob(INCARNATION), journal.last_seq + 1)
        results: list[tuple[int, Results]] = []
        broker = Broker(journal, journal.run, incarnation=2)
        watched = _results(digest.watch(journal.scan()), results)
        broker.recover(watched, resume=resume, now=0.0)
        unsound = [Violation(RECOVERED, text) for text in violations(broker)]
        unsound += [
            Violation(CAUSAL, f"record {seq} has results of {short(r.batch)}, which is not there")
            for seq, r in results
            if r.batch not in broker.book.batches
        ]
        journal.commit()  # what recovery has recorded: the file can be written too
        return self._compare(digest.value(), broker.book, unsound, at, resume)

    def _compare(
        self, content: bytes, book: Book, unsound: list[Violation], at: int, resume: bool
    ) -> Outcome:
        must, may = self._history.possible(at)
        same = [n for n, c in enumerate(self._history.commits) if c.content == content]
        made = [p for p in self._promises.by(at) if not (resume and _withdrawn(p, book))]
        lost = [
            Violation(ACKNOWLEDGED, f"{promise} was promised at event {promise.at}, and is gone")
            for promise in self._promises.broken(made, book)
        ]
        survivors, chances = self._survivors(made, book, at)
        # Two transactions in a row may leave the same behind: what counts is the nearest one.
        beyond = min((number - must for number in same), key=abs, default=0)
        there = [number for number in same if must <= number <= may]
        if unsound:
            fate = Fate.UNSOUND
        elif not same:
            fate = Fate.MIXED
            lost.append(Violation(VERIFIED, "it holds what it held after no transaction"))
        elif lost or not there:
            fate = Fate.LOST
            if not there:
                text = f"transaction {max(same)} is the last one, {must} was synced"
                lost.append(Violation(ACKNOWLEDGED, text))
        else:
            fate, beyond = Fate.WHOLE, max(there) - must
        return Outcome(fate, unsound + lost, beyond, survivors, chances)

    def _survivors(self, made: list[Promise], book: Book, at: int) -> tuple[int, int]:
        known = {id(promise.message) for promise in made}
        open_ = [p for p in self._promises.heard if p.at <= at and id(p.message) not in known]
        return len(open_) - len(self._promises.broken(open_, book)), len(open_)


def _withdrawn(promise: Promise, book: Book) -> bool:
    """A resumed run has not ended, and forgets functions that no task calls: that is no loss."""
    message = promise.message
    if isinstance(message, Define):
        return not any(message.digest in batch.functions for batch in book.batches.values())
    return isinstance(message, End)


def _results(
    records: Iterator[tuple[int, Record]], found: list[tuple[int, Results]]
) -> Iterator[tuple[int, Record]]:
    for seq, record in records:
        if record.kind == Kind.RESULTS:
            found.append((seq, decode_header(record.header, Results)))
        yield seq, record
