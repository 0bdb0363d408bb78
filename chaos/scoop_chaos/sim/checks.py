"""What is looked at while a world runs, each broken invariant by its number in the docs.

Reads the broker, its journal and the messages that pass; changes nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from scoop_ft.broker.book import Book
from scoop_ft.broker.content import Content
from scoop_ft.broker.core import Broker
from scoop_ft.broker.invariants import violations
from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import DONE, FAILED, HELD, QUEUED, UNFINISHED, Batch
from scoop_ft.ids import ROOT_ID, task_id
from scoop_ft.payload import load
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_header

from ..faults import Fault
from .author import submitted_ahead
from .books import differences
from .workload import ENDLESS, key_of

if TYPE_CHECKING:
    from .workload import Program
    from .world import World

#: Faults that leave every worker alone: it goes on, says what it holds, and gives no work up.
_CALM = frozenset({Fault.DISK_SLOW, Fault.CLOCK_JUMP, Fault.CLOCK_SKEW, Fault.WORKER_SLOW})
BROKERS = _CALM | {Fault.BROKER_KILL, Fault.BROKER_DOWN, Fault.BROKER_TERM, Fault.DISK_SYNC}
OTHERS = _CALM | {
    Fault.BROKER_STOP, Fault.ROOT_KILL, Fault.ROOT_STOP, Fault.ROOT_REORDERED, Fault.NET_DELAY,
    Fault.NET_LOSS, Fault.NET_REORDER,
}  # fmt: skip
FULL = _CALM | {Fault.DISK_FULL}
HEADERS = 64  # as many decoded headers as a broker keeps
SLACK = 64  # messages and requests that may wait for something in so small a world


class Checks:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._steps = 0
        self._commits = 0
        self._at_hand: tuple[bytes, int] | None = None
        self._needs: dict[bytes, list[tuple[int, int]]] = {}  # session -> (n, journal number)
        self._passed_on: dict[bytes, list[int]] = {}  # session -> journal number of each Deliver
        self.recorded: set[str] = set()  # keys whose results were recorded when it was resumed
        self._veterans: set[str] = set()
        self.deaths: Counter[bytes] = Counter()
        self._not_answered_for: Counter[bytes] = Counter()
        self.executed: Counter[str] = Counter()
        self.copied: set[bytes] = set()  # tasks that a broker has let run a second time
        self.saved: dict[bytes, int] = {}  # how far each task has got for sure
        self.values: dict[tuple[bytes, str, int], int] = {}  # of durable steps
        self._numbers = 0
        self._silent = "'deaf'" in str(world.plan.program)
        self._ahead = submitted_ahead(world.plan.program)
        self._of_root = _children_of_root(world.plan.program)

    def new_number(self) -> int:
        """Return a number that nobody else has."""
        self._numbers += 1
        return self._numbers

    # ---- acknowledged is synced ------------------------------------------------------------

    def new_broker(self) -> None:
        """Nobody has told this one anything."""
        self._at_hand = None
        self._commits = 0
        self._world.witness.new_broker()
        self._needs.clear()
        self._passed_on.clear()

    def received(self, session: bytes, message: Any) -> None:
        """The broker is about to handle a message."""
        if type(message) is wire.Hello:
            self._needs.pop(session, None)
            self._passed_on.pop(session, None)
        n = getattr(message, "n", 0)
        self._at_hand = (session, n) if n else None

    def handled(self) -> None:
        """It has handled it: all that it recorded must be synced before it is acknowledged."""
        if self._at_hand is not None:
            session, n = self._at_hand
            self._needs.setdefault(session, []).append((n, self._world.journal.last_seq))
            self._at_hand = None
        self._world.witness.handled()

    def sends(self, session: bytes, message: Any) -> None:
        """The broker sends something."""
        self.handled()
        kind = type(message)
        if kind is wire.Ack:
            self._is_settled(session, message)
            waiting = self._needs.get(session, [])
            self._synced([seq for n, seq in waiting if n <= message.n], session, message)
            self._needs[session] = [each for each in waiting if each[0] > message.n]
        elif kind is wire.Deliver:
            self._passed_on.setdefault(session, []).append(self._world.journal.last_seq)
        elif kind is wire.Synced:
            self._synced(self._passed_on.get(session, [])[: message.delivered], session, message)
        elif kind is wire.Welcome:
            self._passed_on.pop(session, None)

    def _is_settled(self, session: bytes, m: Any) -> None:
        """Nothing is acknowledged that still waits for its batch."""
        broker = self._world.broker
        peer = broker.core.peers.get(session) if broker is not None else None
        if peer is not None and any(n <= m.n for n in peer.unsettled):
            name = self._world.trace.name_of(session)
            self._world.violated(8, f"{m} to {name}, whose {min(peer.unsettled)} waits")

    def _synced(self, needed: list[int], session: bytes, message: Any) -> None:
        durable = self._world.journal.synced_seq
        if any(seq >= durable for seq in needed):
            name = self._world.trace.name_of(session)
            self._world.violated(8, f"{message} to {name} before record {max(needed)} was synced")

    # ---- the whole state -------------------------------------------------------------------

    def stepped(self) -> None:
        """The broker has taken a step."""
        self.handled()
        self._steps += 1
        if self._steps % self._world.plan.look_every == 0:
            self.look()

    def look(self) -> None:
        """Look at everything the broker has."""
        broker = self._world.broker
        if broker is None or not broker.alive:
            return
        self._world.owed.look()
        for text in violations(broker.core):
            self._world.violated(_number(text), text)
        for peer in broker.core.peers.values():
            if peer.suspended and peer.load:
                name = self._world.trace.name_of(peer.session)
                self._world.violated(21, f"{name} is stopped or silent, and keeps its work")
        self._asked_for(broker.core)
        self._within_limits(broker.core)
        self._blamed(broker.core)

    def _asked_for(self, core: Broker) -> None:
        """Who waits is told in the end, and what is queued is somebody's child."""
        for peer in core.peers.values():
            if peer.connected and peer.settled() > peer.acked and peer.session not in core._ack_due:
                name = self._world.trace.name_of(peer.session)
                self._world.violated(9, f"{name} waits for an acknowledgement that will not come")
        for batch in core.book.batches.values():
            for index, ordinal in enumerate(batch.places or ()):
                if ordinal < 0 and batch.state[index] == QUEUED:
                    self._world.violated(18, f"{batch!r}: task {index} is queued, nobody's child")

    def _within_limits(self, core: Broker) -> None:
        # After a disk that never synced all is said again: each waits, and the hello that names it.
        workers = (worker for agent in self._world.agents() for worker in agent.workers.values())
        kept = sum(len(worker.session._unacknowledged) for worker in workers)
        sizes = {
            "messages wait for their batch": sum(map(len, core.orphans.values())) - 2 * kept,
            "cancellations wait": len(core.cancels),
            "headers are kept": max(0, len(core.dispatcher._headers) - HEADERS),
            "sessions were turned away": len(core.refused),
        }
        for what, size in sizes.items():
            if size > SLACK:
                self._world.violated(28, f"{size} {what}")

    def _blamed(self, core: Broker) -> None:
        for batch in core.book.batches.values():
            for index, attempts in batch.attempts.items():
                deaths = self.deaths[task_id(batch.id, index)]
                if attempts > deaths:
                    text = f"{batch!r}: task {index} is blamed {attempts} times, died {deaths}"
                    self._world.violated(20, text)
                limit = core.max_attempts
                if attempts >= limit and batch.state[index] in UNFINISHED:
                    text = (
                        f"{batch!r}: task {index} is blamed {attempts} times, {limit} are allowed"
                    )
                    self._world.violated(19, text)

    # ---- over the death of a broker --------------------------------------------------------

    def opened(self) -> None:
        """A broker has begun: a crash at this instant leaves what it made of the journal."""
        assert self._world.broker is not None
        if self._commits:  # else there was no room for it
            self._reopen(self._world.broker.core)

    def committed(self) -> None:
        """A crash at this instant would leave this on disk: it opens, and nothing is missing."""
        live = self._world.broker
        every = self._world.plan.look_every // 3 or 1
        self._commits += 1
        if live is not None and live.alive and self._commits % every == 0:
            self._reopen(live.core)

    def _reopen(self, live: Broker) -> None:
        journal = self._world.journal.as_on_disk()
        again = Broker(journal, "a-run", max_attempts=self._world.plan.max_attempts, incarnation=2)
        again.recover(journal.scan(), resume=False, now=0.0)
        journal.commit()  # what nothing needs is gone
        for text in violations(again):
            self._world.violated(7, f"a crash at this commit leaves: {text}")
        for seq, record in journal.scan():
            if record.kind == Kind.RESULTS:
                name = decode_header(record.header, wire.Results).batch
                if name not in again.book.batches:
                    self._world.violated(7, f"record {seq} holds results of a batch that is not")
        for text in differences(live.book, again.book):
            self._world.violated(10, f"after a crash at this commit: {text}")
        self._compare_books(live.book, self._world.journal.synced_seq, again, resume=False)

    def compare(self, before: Book, synced: int, after: Broker, *, resume: bool) -> None:
        """What was recorded and synced is recorded still, and is the same."""
        self.look()
        self._compare_books(before, synced, after, resume=resume)

    def _compare_books(self, before: Book, synced: int, after: Broker, *, resume: bool) -> None:
        for batch in before.batches.values():
            for start, stop, seq, _ in batch.results:
                if seq < synced:
                    self._compare(before, batch, start, stop, seq, after.book, resume=resume)

    def _compare(
        self, before: Book, batch: Batch, start: int, stop: int, seq: int, after: Book,
        *, resume: bool,
    ) -> None:  # fmt: skip
        again = after.batches.get(batch.id)
        if again is None:
            if not _stood_for(before, after, batch):
                self._world.violated(10, f"{batch!r} with synced results is in no book any more")
            return
        for index in range(start, stop):
            if resume and batch.state[index] == FAILED:
                continue  # it is tried again
            if again.state[index] != batch.state[index]:
                text = f"{batch!r}: task {index} was ended and synced, and is not any more"
                self._world.violated(6, text)
            elif not any(a <= index < b and s == seq for a, b, s, _ in again.results):
                self._world.violated(6, f"{batch!r}: the result of task {index} was replaced")

    def resumed(self, core: Broker) -> None:
        """Everybody of before is gone: what is recorded now is never to be computed again."""
        self.recorded = set(_done_keys(core)) - self._ahead
        # Workers on other machines outlive a launcher, and may have what they were asked to drop.
        self._veterans = {p.name for p in self._world.processes if p.alive}
        for batch in core.book.batches.values():
            if FAILED in batch.state or batch.attempts:
                self._world.violated(19, f"{batch!r} has failures or crashes of before the resume")

    def began(self, key: str, where: str) -> None:
        """A task has begun somewhere."""
        self.executed[key] += 1
        anew = key in self.recorded and where not in self._veterans
        if anew and self._world.names_tasks():
            self._world.violated(29, f"{key} was recorded before the resume, and begins again")
        mine = key in self._of_root and self._quiet()
        if self.executed[key] > 1 and (mine or self._all_heard()):
            self._world.violated(31, f"{key} begins again, though nobody who ran it was disturbed")

    def _quiet(self) -> bool:
        """Have all workers been left alone so far, so that nothing that ran is run again?

        A broker that dies while the root is away may take along what is in no journal yet.
        """
        calm = self._all_told() and not self.copied and not self.deaths
        return calm and self._world.names_tasks()

    def _all_heard(self) -> bool:
        """Was nothing worse than a full disk, so that no task at all is run again?"""
        fine = FULL.issuperset(self._world.struck) and not self._silent and not self.copied
        return fine and not self.deaths and self._world.names_tasks()

    def _was_given_away(self, task: bytes, session: bytes) -> bool:
        """Was it offered to another meanwhile, so that this worker no longer answered for it?

        That one may have ended it since: failed it, too.
        """
        broker = self._world.broker
        found = broker.core.book.task(task) if broker is not None and broker.alive else None
        if broker is None or found is None:
            return False
        peer = broker.core.peers.get(session)
        held = peer is not None and peer.holds(*found)
        return found[0].state[found[1]] not in (HELD, QUEUED) and not held

    def _all_told(self) -> bool:
        struck = self._world.struck
        return BROKERS.issuperset(struck) or OTHERS.issuperset(struck)

    def died(self, task: bytes, session: bytes) -> None:
        """A worker died running a task."""
        self.deaths[task] += 1
        limit = self._world.plan.max_attempts
        if self._was_given_away(task, session):
            self._not_answered_for[task] += 1
        tried = self.deaths[task] - self._not_answered_for[task]
        if tried > limit and self._all_told():
            text = f"task {task.hex()} has killed {self.deaths[task]} workers, {limit} are allowed"
            self._world.violated(19, text)

    def ended(self) -> None:
        """A worker was ended for what its task did: nobody is blamed, and the others run again."""
        self.deaths[b""] += 1


def _children_of_root(program: Program) -> set[str]:
    """Return the root's children that nobody is asked to hand over, or to give up, as they run.

    Where a task lets nobody in its process answer, what else is there may be given to others.
    """
    children = [call for phase in program for call in phase[3] if call[2] not in ENDLESS]
    silent = str(program).count("'deaf'")
    return {key for key, _, how, _ in children if not silent or (how == "deaf" and silent == 1)}


def _stood_for(before: Book, after: Book, batch: Batch) -> bool:
    """Has an ancestor completed, so that its result stands for this batch?"""
    parent = batch.parent
    while parent != ROOT_ID:
        found = after.task(parent)
        if found is not None:
            return found[0].state[found[1]] == DONE
        older = before.task(parent)
        if older is None:
            return True
        parent = older[0].parent
    return False


def _done_keys(core: Broker) -> list[str]:
    """Return the keys of the calls whose results are recorded."""
    keys = []
    with core.journal.reading() as view:
        for batch in core.book.batches.values():
            if DONE not in batch.state:
                continue
            record = view.record(batch.seq)
            header = decode_header(record.header, wire.Submit)
            content = Content(header, record.payload, record.buffers)
            for index, state in enumerate(batch.state):
                if state == DONE:
                    call = load(content.arguments(index), content.buffers.get(index, ()))
                    keys.append(key_of(call))
    return keys


_NUMBERS = {
    "is leased to": 15, "is held and": 15, "are queued and in no queue": 15, "results": 16,
    "record": 16, "runs nowhere": 18, "nobody asks for": 18, "hosted where": 18, "outlived": 11,
    "of two ordinals": 3, "overlaps": 1,
}  # fmt: skip


def _number(text: str) -> int:
    """Return which invariant a line of `scoop_ft.broker.invariants` is about."""
    return next((number for words, number in _NUMBERS.items() if words in text), 14)
