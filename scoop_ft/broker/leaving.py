"""Which small records are needed, and by what: crashes, bindings, members, the end, retries.

A record leaves the journal in the transaction that holds what made it needless, so what is kept
here is the same in a live broker and in one that reads its journal.  Each method says which
records leave, as ``(number, count)``; number 0 is a record that was never written.  Decides nothing
about tasks; no I/O.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

Leave = tuple[int, int]  # a record's number, how many numbers it takes

#: So many workers that are gone are remembered, the last ones.  A dead worker's word, or its death
#: told again by an agent that has not heard our answer, comes within seconds and before thousands
#: of others have died; forgotten later, it could at worst be counted a second time.
REMEMBERED: Final = 8192


class Remembered:
    """The last so many names that were added, each with a number."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._numbers: dict[bytes, int] = {}  # the oldest first

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._numbers)

    def add(self, name: bytes, number: int = 0) -> list[int]:
        """Remember a name; return the numbers of what is forgotten for it."""
        forgotten = self.discard(name)
        self._numbers[name] = number
        if len(self._numbers) > self._most:
            forgotten.append(self._numbers.pop(next(iter(self._numbers))))
        return forgotten

    def discard(self, name: bytes) -> list[int]:
        """Forget a name; return its number, if it was known."""
        return [self._numbers.pop(name)] if name in self._numbers else []


class Records:
    """Notes the small records that are needed.

    Attributes
    ----------
    dead : Remembered
        Workers whose end is recorded.
    """

    def __init__(self) -> None:
        self.dead = Remembered()
        self._joined: dict[bytes, int] = {}
        self._crashes: dict[bytes, dict[int, list[int]]] = {}  # by batch and index
        # By parent, with the batch some of whose tasks are others', and how many places each says.
        self._binds: dict[bytes, list[tuple[int, bytes, int]]] = {}
        self._changes: dict[bytes, list[int]] = {}  # by batch
        self._end = 0
        self._retries: dict[int, set[int]] = {}  # to the results whose failures they undo

    # ---- workers -------------------------------------------------------------------------------

    def joined(self, session: bytes, seq: int) -> list[Leave]:
        """A worker has joined: that it did so before, or was lost, says nothing any more."""
        older = self._joined.pop(session, 0)
        self._joined[session] = seq
        return _single([older, *self.dead.discard(session)])

    def left(self, session: bytes, seq: int) -> list[Leave]:
        """A worker is gone: that it had joined says nothing any more."""
        joined = self._joined.pop(session, 0)
        return _single([joined, *self.dead.add(session, seq)])

    # ---- tasks ---------------------------------------------------------------------------------

    def crashed(self, batch: bytes, index: int, seq: int) -> None:
        """A worker died of this task: needed until the task ends."""
        self._crashes.setdefault(batch, {}).setdefault(index, []).append(seq)

    def ended(self, batch: bytes, indices: Iterable[int]) -> list[Leave]:
        """These tasks have a result: their crashes say nothing any more."""
        crashes = self._crashes.get(batch, {})
        gone = [seq for index in indices for seq in crashes.pop(index, ())]
        if not crashes:
            self._crashes.pop(batch, None)
        return _single(gone)

    def changed(self, batch: bytes, seq: int, *, wholly: bool) -> list[Leave]:
        """Tasks of this batch have other options; ``wholly``: all of them."""
        older = self._changes.pop(batch, []) if wholly else []
        self._changes.setdefault(batch, []).append(seq)
        return _single(older)

    def bound(self, parent: bytes, seq: int, batch: bytes, places: int) -> None:
        """Where a parent's children are found: needed until it completes.

        ``batch``: some of its tasks are no tasks of their own; empty: of none.
        """
        self._binds.setdefault(parent, []).append((seq, batch, places))

    def bindings(self) -> list[bytes]:
        """Return the parents whose children are found elsewhere than they were recorded."""
        return list(self._binds)

    def places(self, parent: bytes, since: int, batches: Container[bytes]) -> dict[int, int]:
        """Return which records of a parent after this one say where children are, and no more.

        With the number of places that each says.
        """
        binds = self._binds.get(parent, ())
        return {seq: said for seq, batch, said in binds if seq > since and batch not in batches}

    def placed_anew(self, parent: bytes, older: Container[int]) -> list[Leave]:
        """What these say of a parent's children has been recorded again."""
        binds = self._binds[parent]
        self._binds[parent] = [each for each in binds if each[0] not in older]
        return _single(seq for seq, _, _ in binds if seq in older)

    def completed(self, parent: bytes) -> list[Leave]:
        """A parent's result stands for its descendants."""
        return _single(seq for seq, _, _ in self._binds.pop(parent, ()))

    def truncated(self, parent: bytes, oldest: int) -> list[Leave]:
        """Of a parent's children none is left that was recorded before this number."""
        binds = self._binds.pop(parent, [])
        if kept := [each for each in binds if each[0] > oldest]:
            self._binds[parent] = kept
        return _single(seq for seq, _, _ in binds if seq < oldest)

    def batch_left(self, batch: bytes, results: Iterable[int]) -> list[Leave]:
        """A batch and these records of its results are no more."""
        crashes = self._crashes.pop(batch, {})
        gone = [seq for seqs in crashes.values() for seq in seqs]
        gone += self._changes.pop(batch, [])
        return [*_single(gone), *self.results_left(results)]

    def results_left(self, results: Iterable[int]) -> list[Leave]:
        """These records of results are no more."""
        gone: list[int] = []
        if self._retries:
            results = set(results)
            for retry, undone in list(self._retries.items()):
                undone -= results
                gone += self._drop_idle_retry(retry)
        return _single(gone)

    # ---- the run -------------------------------------------------------------------------------

    def run_ended(self, seq: int) -> list[Leave]:
        """The script has ended, for the last time so far."""
        older, self._end = self._end, seq
        return _single([older])

    def resumed(self, seq: int, undone: set[int]) -> list[Leave]:
        """The run goes on: ends and crashes of before say nothing any more.

        ``undone`` are the records that hold failures which are tried again, beside results that
        count: only for them it has to be known that there was a resume.
        """
        gone = [
            self._end,
            *(s for c in self._crashes.values() for seqs in c.values() for s in seqs),
        ]
        self._end = 0
        self._crashes.clear()
        self._retries[seq] = undone
        return _single([*gone, *self._drop_idle_retry(seq)])

    def _drop_idle_retry(self, retry: int) -> list[int]:
        if self._retries[retry]:
            return []
        del self._retries[retry]
        return [retry]


def _single(numbers: Iterable[int]) -> list[Leave]:
    return [(number, 1) for number in numbers if number]
