"""What each message must be when it is said: looked at from outside both ends.

`Checks` looks at what the broker has; this at what is said to whom, and at what the one who says it
had heard by then.  Reads messages, the broker and its journal; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scoop_ft.broker.figures import mismatches
from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import CANCELLED, DONE, FAILED, LEASED, NAMES, Batch
from scoop_ft.broker.timing import LOST_S, SILENT_AGENT_S
from scoop_ft.ids import ROOT_ID, task_id
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_header

from ..faults import Fault
from .workload import SHORT

if TYPE_CHECKING:
    from scoop_ft.broker.core import Broker
    from scoop_ft.client.session import Session

    from .peers import SimAgent
    from .world import World

JUMP_S = 2.0  # who sees this much time pass between two looks was asleep
READING_S = 0.01  # … and what came with the last look may have been read that much later
ENDED = (DONE, FAILED)
#: Under these faults what is said comes through within a moment, if it is said.
PROMPT = frozenset({
    Fault.BROKER_KILL, Fault.BROKER_DOWN, Fault.BROKER_TERM, Fault.ROOT_KILL, Fault.NET_LOSS,
    Fault.DISK_SLOW, Fault.DISK_SYNC, Fault.WORKER_KILL, Fault.WORKER_TERM, Fault.WORKER_SLOW,
})  # fmt: skip
_INTAKE = (wire.Define, wire.Submit, wire.SetConst, wire.Checkpoint, wire.Step)
_KEPT = {Kind.BATCH, Kind.RESULTS, Kind.CONST, Kind.CHECKPOINT, Kind.STEP}

_EDITS = {Fault.ROOT_EDITED, Fault.ROOT_REORDERED}

Result = tuple[bytes, int]  # batch, index


class Witness:
    """Watches what is said in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._heard: dict[bytes, list[tuple[bytes, Result]]] = {}  # session -> (parent, result)
        self._said: dict[bytes, int] = {}  # batch -> how much its sender had heard
        self._cancels: dict[tuple[bytes, int], bytes] = {}  # session, request -> parent
        self._alone: set[bytes] = set()  # workers that try something that may kill them
        self._turned: dict[bytes, int] = {}  # session -> the first number that was turned away
        self._deaths: list[tuple[float, SimAgent, bytes]] = []
        self._copied: set[bytes] = set()  # by this broker
        self._back: dict[bytes, float] = {}  # session -> when it last said hello
        self._told: set[bytes] = set()  # workers whose end a broker has heard of
        self._stay: set[bytes] = set()  # batches that no failure may drop
        self._new = b""  # a batch that is about to be taken in
        self._last = -1  # the journal's last number before what must not be taken in
        self._keeps: tuple[bytes, bytes, int] | None = None  # session, parent, the last number
        self._brings: tuple[bytes, int] | None = None  # batch, the number of its results' record
        self._looked = -1.0

    # ---- at a parent's end -----------------------------------------------------------------

    def hears(self, session: Session, message: Any) -> None:
        """A session takes a message in."""
        if type(message) is wire.Deliver and not any(message.status):
            heard = self._heard.setdefault(session.session, [])
            for start, stop in message.ranges:
                heard += [(message.parent, (message.batch, at)) for at in range(start, stop)]

    def says(self, session: Session, message: Any) -> None:
        """A session says something: whatever it had heard by then may be in it."""
        if type(message) is wire.Submit:
            self._said.setdefault(message.batch, len(self._heard.get(session.session, ())))

    def ends(self, session: Session) -> None:
        """The script has ended, and the broker has said that all of it is synced."""
        before = [d for n, d, _ in session._unsynced if n < session._n]
        if before:
            self._world.violated(9, f"{before[0]} is synced, and its receiver keeps it still")
        self._journal_is_tidy()
        self._deaths_are_told()
        count = mismatches(self._core())
        if count and not _EDITS & self._world.struck:
            text = f"{count} calls are said to differ, and the script is the same"
            self._world.violated(2, text)

    def died(self, agent: SimAgent, session: bytes) -> None:
        """A worker has ended, and its agent has seen it."""
        self._deaths.append((self._world.clock.now, agent, session))

    def _deaths_are_told(self) -> None:
        """What an agent has seen the broker knows, sooner or later."""
        now, agents = self._world.clock.now, self._world.agents()
        for when, agent, session in self._deaths:
            reached = agent in agents and agent.agent.connected and not agent.frozen
            since = max(when, self._back.get(agent.agent.session, when))
            late = reached and now - since > JUMP_S and PROMPT.issuperset(self._world.struck)
            if late and session not in self._told:
                name = self._world.trace.name_of(session)
                self._world.violated(9, f"{name} died at {when:.3f} s, and no broker was told")

    def _journal_is_tidy(self) -> None:
        """Nothing is on disk that nothing needs, but for what the next commit deletes."""
        broker = self._world.broker
        if broker is None or not broker.alive:
            return
        book, journal = broker.core.book, self._world.journal
        needed = {batch.seq for batch in book.batches.values()}
        needed |= {seq for batch in book.batches.values() for _, _, seq, _ in batch.results}
        needed |= {seq for kept in book.kept.values() for seq, _ in kept.records()}
        needed |= {seq for seq, _ in [*book.consts.values(), *book._dropped]}
        for start, stop in journal._staging.deletions:
            needed.update(range(start, stop))
        for seq, record in journal.scan():
            if record.kind in _KEPT and seq not in needed:
                self._world.violated(11, f"record {seq} is kept, and nothing needs it")

    # ---- at the broker's end: what it takes in ---------------------------------------------

    def received(self, session: bytes, message: Any) -> None:
        """The broker is about to handle a message."""
        core = self._core()
        kind = type(message)
        if core.full and isinstance(message, _INTAKE):
            self._last = self._world.journal.last_seq
        if kind is wire.Checkpoint or kind is wire.Step:
            self._keeps = session, message.parent, self._world.journal.last_seq
        if kind is wire.Results:
            self._brings = message.batch, self._world.journal.last_seq + 1
        if kind is wire.Submit and message.batch not in core.book.batches:
            self._new = message.batch
        elif kind is wire.Results and message.status and all(message.status):
            self._stay = set(core.book.batches)
        elif kind is wire.Gone:
            self._told.add(message.session)
        elif kind is wire.Cancel:
            self._cancels[session, message.request] = message.parent
        elif kind is wire.Hello or kind is wire.Idle:
            self._alone.discard(session)
        if kind is wire.Hello:
            self._back[session] = self._world.clock.now
            self._turned.pop(session, None)
        elif core.full and isinstance(message, _INTAKE):
            self._turned.setdefault(session, message.n)

    def handled(self) -> None:
        """It has handled it."""
        if self._last >= 0 and self._world.journal.last_seq != self._last:
            self._world.violated(12, "new work was taken in on a full disk")
        self._last = -1
        for name in self._stay - self._core().book.batches.keys():
            self._world.violated(11, f"batch {name.hex()} is dropped, and its parent has failed")
        self._stay.clear()
        if self._new in self._core().book.batches:
            self._is_causal(self._core().book.batches[self._new])
        self._new = b""
        if self._keeps is not None:
            self._keeps_its_own(*self._keeps)
            self._keeps = None
        if self._brings is not None:
            self._records_the_first(*self._brings)
            self._brings = None

    def _records_the_first(self, name: bytes, seq: int) -> None:
        """A record holds the first results of their tasks, and no others."""
        batch = self._core().book.batches.get(name)
        counts = sum(b - a for a, b, number, _ in batch.results if number == seq) if batch else 0
        if not counts:
            return  # nothing was recorded, or it was gathered at once
        with self._world.journal.reading() as view:
            header = decode_header(view.header(seq), wire.Results)
        if len(list(_indices(header.ranges))) != counts:
            self._world.violated(6, f"{batch!r}: record {seq} holds results that came too late")

    def _keeps_its_own(self, session: bytes, parent: bytes, last: int) -> None:
        """Nobody saves a state, or a step's value, of what it does not run."""
        core = self._core()
        kept = core.book.kept.get(parent)
        if kept is None or all(seq <= last for seq, _ in kept.records()):
            return
        found, peer = core.book.task(parent), core.peers.get(session)
        runs = peer is not None and found is not None and peer.holds(*found)
        if not runs and (parent != ROOT_ID or session != core.root):
            name = self._world.trace.name_of(session)
            self._world.violated(32, f"{name} keeps something for {parent.hex()}, and has lost it")

    def _is_causal(self, batch: Batch) -> None:
        """What its sender knew of the parent's children when it was made is recorded before it."""
        heard = self._heard.get(batch.id[:8], ())
        for parent, (name, index) in heard[: self._said.get(batch.id, 0)]:
            other = self._core().book.batches.get(name) if parent == batch.parent else None
            if other is not None and other.state[index] not in ENDED:
                text = f"{batch!r} was recorded before the result of task {index} of {other!r}"
                self._world.violated(7, f"{text}, which its parent knew")

    def torn(self) -> None:
        """A commit has found no room, and has changed the disk."""
        self._world.violated(12, "a part of a commit that found no room is on disk")

    # ---- what it sends ---------------------------------------------------------------------

    def sends(self, session: bytes, message: Any, frames: Sequence[Any]) -> None:
        """The broker sends something."""
        kind = type(message)
        if kind is wire.Deliver:
            self._is_recorded(session, message, frames)
        elif kind is wire.Run:
            self._runs_alone(session, message)
            self._may_be_copied(session, message)
        elif kind is wire.Cancelled:
            self._is_cancelled(session, message)
        elif kind is wire.Ack and message.n >= self._turned.get(session, message.n + 1):
            self._world.violated(8, f"{message} covers what was turned away on a full disk")

    def _is_recorded(self, session: bytes, m: Any, frames: Sequence[Any]) -> None:
        """Results that are passed on are those that are recorded."""
        batch = self._core().book.batches.get(m.batch)
        if batch is None:
            return  # its parent has ended meanwhile
        family = self._core().book.families.get(batch.parent)
        here = family is not None and family.host == session
        at, ends, payload = 0, memoryview(m.ends).cast("I"), bytes(frames[0])
        begin = m.base
        for start, stop in m.ranges:
            for index in range(start, stop):
                passed = (
                    m.status[at] if m.status else 0,
                    payload[begin - m.base : ends[at] - m.base],
                )
                if batch.state[index] not in ENDED:
                    text = f"{batch!r}: the result of task {index} is passed on, not recorded"
                    self._world.violated(7, text)
                elif here and not batch.is_claimed(index):
                    text = f"{batch!r}: the result of task {index} is passed on, not asked for"
                    self._world.violated(3, text)
                elif (batch.state[index] == DONE) != (passed[0] == wire.Status.OK):
                    text = f"{batch!r}: task {index} is {NAMES[batch.state[index]]}, and is not"
                    self._world.violated(16, f"{text} as it is recorded: status {passed[0]}")
                elif passed != self._recorded(batch, index):
                    text = f"{batch!r}: what is passed on of task {index} is not what is recorded"
                    self._world.violated(6, text)
                elif passed[0] == wire.Status.LOST:
                    self._had_its_attempts(batch, index)
                at, begin = at + 1, ends[at]

    def _had_its_attempts(self, batch: Batch, index: int) -> None:
        if batch.options_of(index).time_limit_s in SHORT:
            return  # it never ends of itself
        # The broker that gave it up may have died before it had recorded the last attempt.
        died = self._world.checks.deaths[task_id(batch.id, index)]
        had, limit = max(batch.attempts.get(index, 0), died), self._core().max_attempts
        if had < limit:
            text = f"{batch!r}: task {index} is given up after {had} attempts of {limit}"
            self._world.violated(19, text)

    def _recorded(self, batch: Batch, index: int) -> tuple[int, bytes]:
        seq = next(seq for a, b, seq, _ in batch.results if a <= index < b)
        with self._world.journal.reading() as view:
            record = view.record(seq)
            header = decode_header(record.header, wire.Results)
            at = list(_indices(header.ranges)).index(index)
            ends = memoryview(header.ends).cast("I")
            payload = bytes(record.payload[ends[at - 1] if at else 0 : ends[at]])
        return header.status[at] if header.status else 0, payload

    def _runs_alone(self, session: bytes, m: Any) -> None:
        """A task that has killed workers is tried alone."""
        batch = self._core().book.batches.get(m.batch)
        if session in self._alone:
            name = self._world.trace.name_of(session)
            self._world.violated(20, f"{name} tries a suspect alone, and is sent {batch!r}")
        if batch is None or batch.attempts.keys().isdisjoint(range(m.start, m.stop)):
            return
        self._alone.add(session)
        if m.stop - m.start > 1:
            self._world.violated(20, f"{batch!r}: {m.start} to {m.stop} are sent with a suspect")

    def _may_be_copied(self, session: bytes, m: Any) -> None:
        """Who is sent a task that it has no lease on runs its second copy: the only one."""
        core = self._core()
        batch, peer = core.book.batches.get(m.batch), core.peers.get(session)
        if batch is None or peer is None or peer.holds(batch, m.start):
            return
        task, copied = task_id(m.batch, m.start), self._world.checks.copied
        known = m.start in batch.families or m.start in batch.kept or m.start in batch.attempts
        known = known or task in self._copied
        if known or m.stop - m.start > 1 or batch.state[m.start] != LEASED:
            self._world.violated(40, f"{batch!r}: {m.start} to {m.stop} may not be copied")
        copied.add(task)
        self._copied.add(task)

    def _is_cancelled(self, session: bytes, m: Any) -> None:
        """What is said to be cancelled does not run."""
        family = self._core().book.families.get(self._cancels.get((session, m.request), b""))
        if family is None or family.host != session:
            return
        for start, stop in m.ranges:
            for ordinal in range(start, stop):
                found = family.find(ordinal)
                state = DONE if found is None else found[0].state[found[1]]
                if state != CANCELLED and state not in ENDED:
                    text = f"child {ordinal} is said to be cancelled and is {NAMES[state]}"
                    self._world.violated(14, text)

    # ---- time ------------------------------------------------------------------------------

    def looks(self) -> int:
        """The broker is about to do what is due; return how much it has queued again so far."""
        return int(self._core().resubmitted)

    def looked(self, now: float, before: int) -> None:
        """It has done it: who has slept meanwhile takes nobody for late."""
        core = self._core()
        self._lost_are_forgotten(core, now)
        if core.bad_messages:
            self._world.violated(24, f"{core.bad_messages} messages of our own are malformed")
        if core.orphans and now >= core.grace_until:
            self._world.violated(28, "messages wait for batches that nobody will send any more")
        slept, self._looked = now - self._looked, now
        asleep = slept > JUMP_S + READING_S and self._looked >= 0
        if asleep and core.resubmitted > before:
            self._world.violated(21, f"after {slept:.1f} s asleep leases have expired")

    def _lost_are_forgotten(self, core: Broker, now: float) -> None:
        """Who cannot be reached for long keeps what its agent sees it run, else nothing."""
        for peer in core.peers.values():
            if peer.role != "worker" or peer.connected or now - peer.lost_at < LOST_S + JUMP_S:
                continue
            heard = now - peer.heard_at < SILENT_AGENT_S + JUMP_S
            if peer.load > (1 if heard and peer.report is not None and peer.report.task else 0):
                name = self._world.trace.name_of(peer.session)
                self._world.violated(21, f"{name} is lost, and {peer.load} tasks wait for it")
            elif not peer.load:
                name = self._world.trace.name_of(peer.session)
                self._world.violated(28, f"{name} is lost, holds nothing, and is not forgotten")

    def new_broker(self) -> None:
        """A broker has begun."""
        self._alone.clear()
        self._copied.clear()
        self._turned.clear()
        self._stay.clear()
        self._new = b""
        self._last = -1
        self._keeps = None
        self._brings = None
        self._looked = -1.0

    def _core(self) -> Broker:
        assert self._world.broker is not None
        return self._world.broker.core


def _indices(ranges: Sequence[wire.Range]) -> Iterator[int]:
    for start, stop in ranges:
        yield from range(start, stop)
