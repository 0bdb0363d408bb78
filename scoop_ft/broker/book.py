"""What is recorded: batches, families, results, functions, constants.

The book is what the journal says, in memory, without payloads.  Each ``apply_*`` is one kind of
record; live messages and recovery go through the same ones, so what a restarted broker knows is
what it knew.  The book never sends, and it does not know who is connected.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Container

from ..ids import ROOT_ID, SESSION_BYTES, split_task_id, task_id
from ..wire.messages import (
    Checkpoint,
    Define,
    End,
    Results,
    SetConst,
    Source,
    Status,
    Step,
    Submit,
)
from . import departures, entries
from .code import LAUNCH, Code
from .entries import Entry
from .families import Family, Segment
from .functions import Functions
from .kept import Kept
from .lanes import without_keys
from .leaving import Records
from .records import Bind, Change, Crash, Departed, Edit, Member
from .tasks import CANCELLED, DONE, FAILED, HELD, NONE_COUNTED, UNFINISHED, VOID, Batch, Tally

_STATE_OF = {Status.OK: DONE, Status.RAISED: FAILED, Status.LOST: FAILED}


class Book:
    """The recorded state of a run.

    Attributes
    ----------
    dropped_batches : list of Batch
        Batches that have left the book while workers held leases on them.
    departing : dict
        Parents (as keys) that may have departed from what is recorded: see `departures`.
    strays : list of (seq, Departed)
        What is recorded of departures that the batches do not tell (any more).
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self.batches: dict[bytes, Batch] = {}
        self.families: dict[bytes, Family] = {}
        self.kept: dict[bytes, Kept] = {}  # by parent
        self._functions = Functions()
        self.functions = self._functions.known
        self.codes = self._functions.codes
        self.consts: dict[str, tuple[int, int]] = {}
        self.members: dict[bytes, Member] = {}
        self.outdated: set[bytes] = set()  # workers that know functions as they were
        self.code = Code()
        self.exit_code: int | None = None
        self.submitted = 0
        self.finished = 0
        self.failed = 0
        self.dropped_batches: list[Batch] = []
        self.departing: dict[bytes, None] = {}
        self.strays: list[tuple[int, Departed]] = []
        self._dropped: list[tuple[int, int]] = []
        self._records = Records()
        self.dead = self._records.dead  # workers whose end is recorded, the last of them

    # ---- reading ---------------------------------------------------------------------------

    def task(self, task: bytes) -> tuple[Batch, int] | None:
        """Return the recorded task of this id."""
        name, index = split_task_id(task)
        batch = self.batches.get(name)
        return None if batch is None or index >= batch.count else (batch, index)

    def family(self, parent: bytes) -> Family:
        """Return the family of a parent, made when it has none yet."""
        family = self.families.get(parent)
        if family is None:
            family = self.families[parent] = Family(parent)
            found = None if parent == ROOT_ID else self.task(parent)
            if found is not None:
                found[0].note_family(found[1])
        return family

    def is_given_up(self, task: bytes) -> bool:
        """Was a task cancelled, or one of those that it was submitted by and for?"""
        while (found := self.task(task)) is not None:
            batch, index = found
            if batch.state[index] == CANCELLED:
                return True
            task = batch.parent
        return False

    def attempts(self, task: bytes) -> int:
        """Return how often a worker died running this task."""
        found = self.task(task)
        return 0 if found is None else found[0].attempts.get(found[1], 0)

    def function_name(self, digest: bytes) -> str:
        """Return what people call a function."""
        return self.functions.get(digest, (0, "?"))[1]

    def function_of(self, batch: Batch, index: int) -> str:
        """Return what people call the function that a task calls."""
        return self.function_name(batch.function_of(index))

    def take_dropped(self) -> list[tuple[int, int]]:
        """Return, once, the records that nothing needs any more."""
        dropped, self._dropped = self._dropped, []
        return dropped

    # ---- one method a kind of record -----------------------------------------------------------

    def apply_batch(self, seq: int, m: Submit, payload_bytes: int) -> Batch:
        """A batch is recorded; its tasks are `HELD`."""
        self.code.settle()
        family = self.family(m.parent)
        batch = Batch(
            self.tally,
            id=m.batch,
            seq=seq,
            records=1 + len(m.buffers),
            parent=family.parent,
            lineage=family.same_lineage(m.lineage),
            first=m.first,
            count=m.count,
            functions=family.same_functions(m.functions),
            payload_bytes=payload_bytes,
            which=m.which,
            options=without_keys(m.options),
        )
        self.batches[m.batch] = batch
        self._functions.called(batch.functions)
        self.submitted += m.count
        departures.begin(family, m)
        family.batches[m.batch] = batch
        cut = family.place(Segment(m.first, m.count, batch, 0))
        if cut or family.author:
            family.author = m.batch[:SESSION_BYTES]
        if cut:
            self.departing[m.parent] = None
        return batch

    def apply_bind(self, seq: int, m: Bind) -> None:
        """Some tasks of a replayed batch are older ones, or are found at other ordinals."""
        if m.parent != ROOT_ID and self.task(m.parent) is None:
            return  # its parent has completed since
        self._records.bound(m.parent, seq, m.batch if m.void else b"", len(m.slots))
        family = self.family(m.parent)
        batch = self.batches.get(m.batch)
        if batch is not None:
            for start, stop in m.void:
                batch.move(start, stop, VOID)
                self.submitted -= stop - start
                family.fresh -= stop - start
        for ordinal, count, older, index in m.slots:
            found = self.batches.get(older)
            if found is not None:
                family.bind(Segment(ordinal, count, found, index))
            else:  # a checkpoint has dropped it since: nobody is there
                family.vacate(ordinal, ordinal + count)
        family.author = m.session
        if m.slots:
            self.departing[m.parent] = None

    def places(self) -> dict[bytes, dict[int, int]]:
        """Return, by parent, the records that only say where children are found.

        With the number of places that each says.  Those before its state are left out: what that
        stands for follows from them.
        """
        found: dict[bytes, dict[int, int]] = {}
        for parent in self._records.bindings():
            kept = self.kept.get(parent)
            saved = kept.checkpoint if kept is not None else None
            since = saved.seq if saved is not None else 0
            found[parent] = self._records.places(parent, since, self.batches)
        return found

    def placed_anew(self, parent: bytes, older: Container[int]) -> None:
        """What these records say of a parent's children has been recorded again."""
        self._dropped.extend(self._records.placed_anew(parent, older))

    def apply_results(self, seq: int, m: Results) -> list[tuple[int, int]]:
        """Results are recorded; return the ranges of those that are the first of their task.

        Nothing else of the message counts: one result a task, the first one recorded.
        """
        batch = self.batches.get(m.batch)
        if batch is None:
            return []
        if not m.n and not m.status:
            self._gather(batch, seq, m)
        fresh: list[tuple[int, int]] = []
        position = 0
        for start, stop in m.ranges:
            stop = min(stop, batch.count)
            for a, b, state in list(batch.runs(start, stop)):
                if state in UNFINISHED:
                    self._finish(batch, a, b, m.status, position + a - start)
                    insort(batch.results, (a, b, seq, 1 + len(m.buffers)))
                    fresh.append((a, b))
                    if batch.attempts:
                        self._forget_attempts(batch, a, b)
            position += stop - start
        if fresh:
            self.code.settle()
        return fresh

    def _gather(self, batch: Batch, seq: int, m: Results) -> None:
        """What is done is recorded again, in place of records that hold less: see `gathering`."""
        before = batch.results
        done = [
            (a, b)
            for start, stop in m.ranges
            for a, b, state in batch.runs(start, min(stop, batch.count))
            if state == DONE
        ]
        together = [(a, b, seq, 1) for a, b in done]
        batch.results = sorted([*entries.without(before, done), *together])
        self._drop_results(before, batch.results)

    def _drop_results(self, before: list[Entry], after: list[Entry]) -> None:
        """The records that a batch's results lie in are fewer now."""
        gone = entries.gone(before, after)
        self._dropped.extend(gone)
        self._dropped.extend(self._records.results_left(number for number, _ in gone))

    def _finish(self, batch: Batch, start: int, stop: int, status: bytes, position: int) -> None:
        if not status:
            batch.move(start, stop, DONE)
            self.finished += stop - start
            if batch.families:
                for index in [i for i in batch.families if start <= i < stop]:
                    batch.families.discard(index)
                    self._drop_family(task_id(batch.id, index))
            if batch.kept:
                self._drop_kept(batch, start, stop)
            return
        for index in range(start, stop):
            how = status[position + index - start]
            if how == Status.OK:
                self._finish(batch, index, index + 1, b"", 0)
            elif how == Status.CANCELLED:
                batch.move(index, index + 1, CANCELLED)
            else:
                # Its children stay: tried again on resume, it finds their results.
                batch.move(index, index + 1, _STATE_OF[Status(how)])
                self.failed += 1

    def _forget_attempts(self, batch: Batch, start: int, stop: int) -> None:
        """These tasks have ended: how often they were tried is no question any more."""
        ended = [index for index in batch.attempts if start <= index < stop]
        for index in ended:
            del batch.attempts[index]
        self._dropped.extend(self._records.ended(batch.id, ended))

    def _drop_family(self, parent: bytes) -> None:
        """A completed parent's result stands for its descendants."""
        doomed = [parent]
        while doomed:
            family = self.families.pop(name := doomed.pop(), None)
            if family is not None:
                self._dropped.extend(self._records.completed(name))
                self.departing.pop(family.parent, None)
                for batch in family.batches.values():
                    doomed += self._drop_batch(batch)

    def _drop_batch(self, batch: Batch) -> list[bytes]:
        """Nothing needs a batch any more; return those of its tasks that have families."""
        # Nobody will see those that have not ended: they were never a part of the work.
        runs = batch.runs(0, batch.count)
        self.submitted -= sum(b - a for a, b, state in runs if state in UNFINISHED)
        if batch.kept:
            self._drop_kept(batch, 0, batch.count)
        batch.forget()
        if batch.holders:
            self.dropped_batches.append(batch)
        del self.batches[batch.id]
        self._functions.left(batch.functions)
        self._dropped.append((batch.seq, batch.records))
        results = entries.records(batch.results)
        self._dropped.extend(results.items())
        self._dropped.extend(self._records.batch_left(batch.id, results))
        return [task_id(batch.id, index) for index in batch.families]

    def _drop_kept(self, batch: Batch, start: int, stop: int) -> None:
        """These tasks run no more: what they have kept is needed by nobody."""
        for index in [i for i in batch.kept if start <= i < stop]:
            batch.kept.discard(index)
            self._dropped += self.kept.pop(task_id(batch.id, index)).records()

    def _kept_of(self, parent: bytes) -> Kept | None:
        """Return what a parent keeps, made when it has nothing yet; None: it has ended."""
        kept = self.kept.get(parent)
        if kept is None:
            if parent != ROOT_ID:
                found = self.task(parent)
                if found is None or found[0].state[found[1]] == DONE:
                    return None
                found[0].note_kept(found[1])
            kept = self.kept[parent] = Kept()
        return kept

    def apply_checkpoint(self, seq: int, m: Checkpoint) -> None:
        """A parent's state is recorded: what it was made of is needed no more."""
        self.code.settle()
        kept = self._kept_of(m.parent)
        if kept is None:
            return
        self._dropped += kept.save(seq, m)
        family = self.family(m.parent)
        if m.upto:  # others may leave the journal with what this stands for
            family.author = m.upto[:SESSION_BYTES]
        # Those whose records have left the journal before it was read count all the same.
        unseen = max(family.missing(m.first, m.next) - kept.outdated, 0)
        self.submitted += unseen
        self.finished += unseen
        for batch in list(family.batches.values()):
            if family.lies_within(batch, m.first, m.next) and not _wants(m.wanted, family, batch):
                family.remove(batch)
                for parent in self._drop_batch(batch):
                    self._drop_family(parent)
        oldest = min((batch.seq for batch in family.batches.values()), default=seq)
        self._dropped += self._records.truncated(m.parent, oldest)
        kept.outdated = family.missing(m.first, m.next)

    def apply_step(self, seq: int, m: Step) -> None:
        """The value of a durable step is recorded."""
        self.code.settle()
        kept = self._kept_of(m.parent)
        if kept is not None:
            kept.add_step(seq, m)

    def forgive(self, task: bytes) -> None:
        """Workers died of this task, but it has got further since: that does not count any more."""
        found = self.task(task)
        if found is not None:
            self._forget_attempts(found[0], found[1], found[1] + 1)

    def apply_crash(self, seq: int, m: Crash) -> int:
        """A worker died running this task; return how often that has happened."""
        batch = self.batches.get(m.batch)
        if batch is None or m.index >= batch.count:
            return 0
        self._records.crashed(m.batch, m.index, seq)
        return batch.count_attempt(m.index)

    def apply_change(self, seq: int, m: Change) -> None:
        """Tasks are to be run in another way."""
        batch = self.batches.get(m.batch)
        if batch is None:
            self._dropped.append((seq, 1))
            return
        for start, stop in m.ranges:
            batch.change(start, stop, m.options)
        self._dropped.extend(self._records.changed(m.batch, seq, wholly=not batch.changed))

    def apply_retry(self, seq: int, *, keep_failed: bool = False) -> None:
        """What failed is to be tried again (unless it is kept), and no attempt counts any more."""
        undone: set[int] = set()  # records of failures that hold other results too
        for batch in self.batches.values():
            batch.attempts = NONE_COUNTED
            if keep_failed:
                continue
            before = batch.results
            for start, stop, state in list(batch.runs(0, batch.count)):
                if state in (FAILED, CANCELLED):
                    batch.move(start, stop, HELD)
                    self.failed -= (stop - start) if state == FAILED else 0
                    batch.results = list(entries.without(batch.results, [(start, stop)]))
            if batch.results is not before:
                changed = entries.records(set(before) - set(batch.results))
                undone |= entries.records(batch.results).keys() & changed.keys()
                self._dropped.extend(entries.gone(before, batch.results))
        self._dropped.extend(self._records.resumed(seq, undone))
        self._end_departures()
        self.exit_code = None

    def _end_departures(self) -> None:
        """The run is resumed: whatever departs from now on is all that counts."""
        for family in self.families.values():
            departures.end(family)
        self.departing.clear()
        self._dropped.extend((number, 1 + m.buffers) for number, m in self.strays)
        self.strays.clear()

    def apply_const(self, seq: int, m: SetConst) -> None:
        """A constant is recorded; the last one of its name counts."""
        older = self.consts.get(m.key)
        if older is not None:
            self._dropped.append(older)
        self.consts[m.key] = (seq, 1 + len(m.buffers))

    def apply_member(self, seq: int, m: Member) -> None:
        """A worker joined (perhaps again: it was only lost) or is gone."""
        if m.alive:
            self.members[m.session] = m
            self._dropped.extend(self._records.joined(m.session, seq))
        else:
            self.members.pop(m.session, None)
            self._dropped.extend(self._records.left(m.session, seq))

    def apply_function(self, seq: int, m: Define, payload_bytes: int) -> None:
        """A function is recorded."""
        self._functions.record(seq, m, payload_bytes)

    def apply_edit(self, m: Edit) -> None:
        """A function means something else now; what it had computed may be dropped."""
        self._functions.edit(m)
        self.outdated.update(self.dead)
        if m.redo:
            for batch in list(self.batches.values()):
                for start, stop in batch.stretches_of(m.function):
                    self._redo(batch, start, stop)

    def _redo(self, batch: Batch, low: int, high: int) -> None:
        """Nothing that these tasks have computed, or saved on their way, counts any more."""
        before = batch.results
        for start, stop, state in list(batch.runs(low, high)):
            if state in (DONE, FAILED):
                batch.move(start, stop, HELD)
                self.finished -= (stop - start) if state == DONE else 0
                self.failed -= (stop - start) if state == FAILED else 0
                batch.results = list(entries.without(batch.results, [(start, stop)]))
        self._drop_results(before, batch.results)
        self._forget_attempts(batch, low, high)
        for index in [i for i in batch.kept if low <= i < high]:
            outdated = self.kept[task_id(batch.id, index)].outdated
            self.submitted -= outdated
            self.finished -= outdated
        self._drop_kept(batch, low, high)

    def forget_functions(self) -> None:
        """A run is resumed: a function that no task is a call of is not needed any more.

        Not earlier: a session that has sent it relies on its being known.
        """
        self._dropped.extend((seq, 1) for seq in self._functions.forget_all_uncalled())

    def forget_uncalled(self, relied: Collection[bytes]) -> list[bytes]:
        """Forget the functions that no task calls any more, but for some; return them."""
        gone, records_ = self._functions.forget_uncalled(relied)
        self._dropped.extend((seq, 1) for seq in records_)
        return gone

    def apply_source(self, seq: int, m: Source) -> None:
        """A file of the user's code is recorded; or a launch begins."""
        self.code.apply_source(seq, m)
        if m.kind == LAUNCH.kind:
            self._end_departures()

    def apply_departed(self, seq: int, m: Departed) -> None:
        """A parent whose batches are to go, or that was stopped, had departed."""
        self.strays.append((seq, m))

    def apply_end(self, seq: int, m: End) -> None:
        """The script has ended."""
        self.exit_code = m.exit_code
        self._dropped.extend(self._records.run_ended(seq))


def _wants(wanted: list[tuple[int, int]], family: Family, batch: Batch) -> bool:
    """Does a parent wait for results of this batch?"""
    return any(
        a + shift < stop and start < b + shift
        for start, stop in wanted
        for a, b, shift in family.ordinals(batch, 0, batch.count)
    )
