"""The broker's decisions: messages, disconnections and time in; journal records and sends out.

No socket, no clock, no disk, no randomness: the same class runs behind the real driver
(`server`) and in the simulator.  The order of things is the contract: what a message changes is
appended to the journal before anything that depends on it is sent, and a message is acknowledged
only by `on_committed`, that is, after the transaction that holds it was synced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ProtocolError
from ..ids import ROOT_ID, task_id
from ..wire import messages as wire
from ..wire.codec import encode
from ..wire.frames import Buffer
from . import (
    cancelling,
    constants,
    departed,
    departures,
    figures,
    from_agent,
    from_code,
    from_journal,
    from_parent,
    from_worker,
    gathering,
    hello,
    keeping,
    places,
    records,
    timing,
)
from .book import Book
from .copies import Copies
from .delivery import Delivery
from .dispatch import Dispatcher
from .leaving import Remembered
from .peers import WITH_PARENTS, Peer, Peers
from .policy import Costs
from .ports import JournalPort, Ref, Send
from .ready import Ready
from .records import Edit, Kind, Member
from .slices import only
from .tasks import CANCELLED, DONE, FAILED, HELD, LEASED, QUEUED, Batch
from .unrecorded import Unrecorded


class Broker:
    """One run's broker.

    Parameters
    ----------
    journal : JournalPort
        Where records go; what is in it already was given to `recover`.
    run : str
        The run's name.
    settings : dict
        What peers are told in `Welcome`: script, arguments, seed, …
    max_attempts : int
        How many workers a task may kill.
    incarnation : int
        How many brokers this run has had, this one included.
    on_divergence : str
        What happens when a parent that is run again departs from what is recorded.
    stale_results : str
        What the user has said of results that may be stale: "redo", "keep", or nothing.
    gather_from : int
        So many records of a batch's results are written again as one.
    place_from : int
        So many of where a parent's children are found are, at a resume; 0: any, needed or not.

    Attributes
    ----------
    diverged : str
        Why the run was stopped: a departure, where these are errors, or a constant that is another
        one than before; empty while it is not.
    full : str
        Why nothing new is taken in (a full disk); empty when it is.
    """

    def __init__(
        self,
        journal: JournalPort,
        run: str,
        settings: dict[str, Any] | None = None,
        *,
        max_attempts: int = 3,
        incarnation: int = 1,
        on_divergence: str = departed.RECOMPUTE,
        stale_results: str = "",
        gather_from: int = gathering.LEAST,
        place_from: int = places.LEAST,
    ) -> None:
        self.journal = journal
        self.run = run
        self.settings = settings or {}
        self.max_attempts = max_attempts
        self.incarnation = incarnation
        self.on_divergence = on_divergence
        self.stale_results = stale_results
        self.gather_from = gather_from
        self.place_from = place_from
        self.diverged = ""
        self.other_steps = 0  # durable steps that were asked for in place of recorded ones
        self.now = 0.0
        self.book = Book()
        self.peers = Peers()
        self.root = b""
        self.ready = Ready()
        self.costs = Costs()
        self.delivery = Delivery(self)
        self.dispatcher = Dispatcher(self)
        self.copies = Copies(self)
        self.unrecorded = Unrecorded(self)
        self.outbox: list[Send] = []
        self.full = ""
        self.refused: set[bytes] = set()  # sessions whose messages were not taken in while full
        self.grace_until = 0.0
        self.expected: set[bytes] = set()  # workers of before a restart that are not back yet
        self.relied: set[bytes] = set()  # small functions of workers, and what older brokers knew
        # Other functions of workers, by session, until a batch calls them.
        self.announced: set[tuple[bytes, bytes]] = set()
        self.gone = Remembered()  # sessions that ended or were replaced: none comes back
        self.agents_heard = False  # one has said which workers it has
        self.orphans: dict[bytes, list[tuple[bytes, Any, bytes, Sequence[Buffer]]]] = {}
        self.cancels: dict[int, cancelling.CancelRequest] = {}
        self.requests = 0
        self.resubmitted = 0
        self.reused = 0
        self.late = 0
        self.bad_messages = 0
        self.journal_info: dict[str, Any] = {}
        self.looks = figures.Looks()
        self.turned_away: dict[str, str] = {}  # machines that do not join, and why
        self._drops: dict[bytes, wire.Drop] = {}  # said last, and not yet sent
        self._ack_due: set[bytes] = set()
        self._unsynced_from = 0  # the first record that is not; 0: all are
        self.fetches: list[tuple[bytes, wire.Fetch]] = []  # of what is not synced
        self.sync_due: set[bytes] = set()  # sessions with results that may not be committed
        self.on_disk = 0  # tasks that had finished at the last commit
        self.stopping = False
        self.hurry = False  # somebody waits for a sync and does nothing meanwhile

    # ---- inputs ----------------------------------------------------------------------------

    def recover(
        self, scanned: Any, *, resume: bool, now: float, keep_failed: bool = False,
        edits: Sequence[Edit] = (), recorded_code: bool = False,
    ) -> None:  # fmt: skip
        """Take in what the journal holds.

        Parameters
        ----------
        scanned : iterable of (seq, record)
            All records, in order.
        resume : bool
            Nobody of before is left, and what failed is tried again.
        now : float
        keep_failed : bool
            On resume, what failed stays as it is recorded.
        edits : sequence of Edit
            Functions that were edited; what is recorded of them already is left out.
        recorded_code : bool
            A resumed run uses the code that is recorded.
        """
        for seq, record in scanned:
            from_journal.apply(self.book, seq, record)
        self.drop_records()
        self.on_disk = self.book.finished
        if resume:
            places.record_as_one(self)  # first: what has no place now is lost by no later run
            seq = 0 if keep_failed else self.append(Kind.RETRY, b"")
            self.book.apply_retry(seq, keep_failed=keep_failed)
            self.book.forget_functions()
            from_code.begin_launch(self, recorded_code=recorded_code)
            for member in list(self.book.members.values()):
                self.record_member(member.session, member.agent, member.host, alive=False)
        elif self.incarnation > 1:  # what is said again may call them
            self.relied.update(self.book.functions)
        for edit in edits:
            known = self.book.codes.get(edit.function)
            if known is not None and known.digest != edit.code:
                self.append(Kind.EDIT, records.encode(edit))
                self.book.apply_edit(edit)
        for family in self.book.families.values():
            family.unclaim()
        self.now = now
        self.expected = set(self.book.members)
        # What was not committed may hold the joining of workers too: their agents name them.
        if self.incarnation > 1 and not resume:
            self.grace_until = now + timing.GRACE_S

    def on_message(
        self, session: bytes, message: Any, header: bytes, frames: Sequence[Buffer], now: float
    ) -> None:
        """Take a checked message of a session.

        Raises
        ------
        ProtocolError
            This message makes no sense from this session; nothing was changed (see `refuse`).
        """
        timing.pass_to(self, now)
        peer = self.peers.get(session)
        if type(message) is wire.Hello:
            self.refused.discard(session)
            hello.on_hello(self, message)
            return
        if peer is None or not peer.connected:
            self.send(session, wire.Unknown())
            return
        peer.heard_at = now
        handler, roles = _HANDLERS[type(message)]
        if peer.role not in roles:
            raise ProtocolError(f"{type(message).__name__} is no message for a {peer.role}")
        if peer.role == "root" and session != self.root:
            hello.take_over(self, session)
        n = getattr(message, "n", 0)
        if n and self.full and type(message) in _INTAKE:
            self.refused.add(session)
            return
        if self.diverged and type(message) in _ENDED:
            return
        if session in self.refused and type(message) is not wire.Credit:
            return  # the peer will say it again, in order, when there is room
        handler(self, peer, message, header, frames)
        if n and not (self.diverged and type(message) in _ENDED):
            self.dealt_with(peer, n)

    def refuse(self, session: bytes, message: Any, why: str) -> None:
        """A message was dropped: its parent would wait for what comes of it, for ever.

        ``message`` is None where not even that much could be read.
        """
        peer = self.peers.get(session)
        if peer is None or not peer.connected or peer.role not in WITH_PARENTS:
            return
        if self.full or session in self.refused:
            self.refused.add(session)  # it is said again, after what is not taken in just now
            return
        from_parent.refuse(self, peer, message, why)

    def on_disconnect(self, session: bytes, now: float) -> None:
        """A session cannot be reached."""
        timing.pass_to(self, now)
        peer = self.peers.get(session)
        if peer is None or not peer.connected:
            return
        self.peers.lose(peer, now)
        self.dispatcher.not_idle(peer)
        if peer.role == "observer":
            del self.peers[session]

    def on_tick(self, now: float) -> None:
        """Time has passed."""
        timing.on_tick(self, now)

    def on_committed(self) -> None:
        """All that was appended is committed and synced: acknowledge what waited for it."""
        self.on_disk = self.book.finished
        self._unsynced_from = 0
        keeping.on_synced(self)
        synced, self.sync_due = self.sync_due, set()
        for session in sorted(synced):
            peer = self.peers.get(session)
            if peer is not None and peer.connected:
                self.send(session, wire.Synced(peer.delivered))
        due, self._ack_due = self._ack_due, set()
        for session in sorted(due):
            peer = self.peers.get(session)
            if peer is None or not peer.connected:
                continue
            settled = peer.settled()
            if peer.unsettled:
                self._ack_due.add(session)
            if settled > peer.acked:
                peer.acked = settled
                self.send(session, wire.Ack(settled))
        if self.book.exit_code is not None and not self.stopping:
            self.stopping = True
            for peer in list(self.peers.agents.values()):
                self.say_over(peer.session)

    def say_over(self, agent: bytes) -> None:
        """The run is over: the agent ends its workers, and knows the exit code."""
        self.send(agent, wire.Stats(figures.overview(self)))
        self.send(agent, wire.Stop("the run is over"))

    def on_room(self) -> None:
        """There is room on the disk again: let those we turned away say it again."""
        self.full = ""
        for session in sorted(self.refused):  # until its hello: what it has under way comes after
            self.send(session, wire.Unknown())  # what was turned away

    def acks_due(self) -> bool:
        """Does a session wait for an acknowledgement that a commit would allow?"""
        return bool(self.sync_due) or any(
            peer is not None and peer.connected and peer.settled() > peer.acked
            for peer in map(self.peers.get, self._ack_due)
        )

    def needs_ticks(self) -> bool:
        """May something be due soon?"""
        return bool(self.grace_until or self.cancels or self.full)

    def may_take_back(self) -> bool:
        """May idle workers be given something that others have, as time passes?"""
        return self.dispatcher.any_idle() and self.book.tally.of(LEASED) > 0

    def dispatch(self) -> None:
        """Give what is queued to those who can run it."""
        if not (self.stopping or self.grace_until):
            self.dispatcher.dispatch()

    def take_outbox(self) -> list[Send]:
        """Return, once, what is to be sent, in order."""
        outbox, self.outbox = self.outbox, []
        self._drops.clear()
        return outbox

    # ---- used by the handlers --------------------------------------------------------------

    def send(
        self, session: bytes, message: wire.Message, frames: Sequence[Buffer | Ref] = ()
    ) -> None:
        """Ask for a message to be sent."""
        if self._drops:
            self._drops.pop(session, None)
        self.outbox.append(Send(session, message, frames))

    def drop(self, peer: Peer, spans: list[wire.SpanRef], *, cancelled: bool = False) -> None:
        """Tell somebody that he need not run these tasks; ``cancelled``: nor need anybody.

        With others, if nothing was said to him since: in a tree each task that ends leaves some.
        """
        self.copies.forget(peer, spans)
        last = self._drops.get(peer.session)
        if last is not None and last.cancelled == cancelled:
            last.spans.extend(spans)  # in the message, and in what it has not answered
            return
        said = list(spans)
        drop = wire.Drop(0, said, cancelled)
        self.send(peer.session, drop)
        self._drops[peer.session] = drop
        if peer.role == "worker" and peer.connected:
            peer.dropping.append(said)

    def dealt_with(self, peer: Peer, n: int) -> None:
        """What a session has said up to this number need not be said again, once it is synced."""
        peer.seen = max(peer.seen, n)
        self._ack_due.add(peer.session)

    def append(
        self, kind: Kind, header: bytes, payload: Any = b"", buffers: Sequence[Any] = ()
    ) -> int:
        """Append a record to the journal."""
        seq = self.journal.append(kind, header, payload, buffers)
        self._unsynced_from = self._unsynced_from or seq
        return seq

    def is_synced(self, seq: int) -> bool:
        """Will a record be there whatever happens?"""
        return not self._unsynced_from or seq < self._unsynced_from

    def await_batch(
        self, name: bytes, peer: Peer, message: Any, header: bytes, frames: Sequence[Buffer] = ()
    ) -> None:
        """Keep a message until the batch it is about comes; until then it is not acknowledged."""
        kept = [bytes(frame) for frame in frames]
        self.orphans.setdefault(name, []).append((peer.session, message, header, kept))
        if type(message) is not wire.Fetch:  # which is asked again on each connection
            peer.unsettled.add(message.n)

    def record_member(self, session: bytes, agent: bytes, host: str, *, alive: bool) -> None:
        """Record that a worker joined or is gone."""
        member = Member(session, agent, host, alive)
        seq = self.append(Kind.MEMBER, records.encode(member))
        self.book.apply_member(seq, member)

    def record_results(
        self, message: wire.Results, header: bytes, frames: Sequence[Buffer]
    ) -> list[tuple[int, int]]:
        """Record those results that are the first of their tasks; return which these are.

        No other gets into the journal: when what failed is forgotten, to be tried again, it would
        come up from there as the first.
        """
        batch = self.book.batches.get(message.batch)
        awaited = batch.awaited(message.ranges) if batch is not None else []
        if batch is None or not awaited:
            return []
        if awaited != message.ranges:
            message, frames = only(message, frames, awaited)
            header = encode(message)
        seq = self.append(Kind.RESULTS, header, frames[0], frames[1:])
        fresh = self.book.apply_results(seq, message)
        self.take_back_dropped()
        for start, stop in fresh:
            for index in [i for i in batch.families if start <= i < stop]:
                self.dispatcher.take_family(task_id(batch.id, index))  # else it is no more
        gathering.gather(self, batch)
        return fresh

    def take_back_dropped(self) -> None:
        """A parent has ended: workers need not run what is left of its descendants."""
        dropped, self.book.dropped_batches = self.book.dropped_batches, []
        for batch in dropped:
            for session in batch.holders.all():
                self.dispatcher.take_away(self.peers[session], batch, 0, batch.count)

    def fail(self, batch: Batch, index: int, info: dict[str, Any]) -> None:
        """End a task that the broker gives up."""
        text = records.encode(info)
        ends = len(text).to_bytes(4, "little")
        message = wire.Results(
            0, batch.id, [(index, index + 1)], bytes((wire.Status.LOST,)), ends, [], 0, 0, False
        )
        header = encode(message)
        for start, stop in self.record_results(message, header, [text]):
            self.delivery.deliver(batch, start, stop)

    def requeue(self, batch: Batch, start: int, stop: int, *, first: bool) -> int:
        """Put leased tasks back: queued when somebody asks for them, else held."""
        family = self.book.families.get(batch.parent)
        wanted = family is not None and bool(family.host)
        moved = 0
        for a, b, state in list(batch.runs(start, stop)):
            if state != LEASED:
                continue
            moved += b - a
            batch.move(a, b, HELD)
            if wanted:
                self.want(batch, a, b, first=first)
        return moved

    def want(self, batch: Batch, start: int, stop: int, *, first: bool = False) -> None:
        """Queue those held tasks that the present run of their parent has submitted."""
        for a, b, state in list(batch.runs(start, stop)):
            if state == CANCELLED:
                batch.move(a, b, HELD)
                state = HELD
            if state != HELD:
                continue
            for c, d in batch.claimed_stretches(a, b):
                batch.move(c, d, QUEUED)
                self.ready.add(batch, c, d, first=first)

    def serve(self, batch: Batch, start: int, stop: int, *, again: bool = False) -> int:
        """Somebody waits for these tasks: deliver what is done, queue what is not.

        ``again``: the same run of the parent had asked for them; what it gave up since stays so.
        Returns how many results there were already.
        """
        ready = 0
        for a, z, state in list(batch.runs(start, stop)):
            if state in (DONE, FAILED):
                self.delivery.deliver(batch, a, z)
                ready += z - a
            elif state == HELD or (state == CANCELLED and not again):
                self.want(batch, a, z)
        return ready

    def orphan_family(self, parent: bytes) -> None:
        """The parent runs nowhere now: nobody asks for its children until it is run again."""
        family = self.book.families.get(parent)
        if family is None:
            return
        family.unclaim()
        if parent != ROOT_ID:
            departures.end(family)
        for batch in family.batches.values():
            batch.move_all(0, batch.count, QUEUED, HELD)

    def drop_records(self) -> None:
        """Delete what nothing needs any more; called when all that is to be sent was sent."""
        for seq, count in self.book.take_dropped():
            self.journal.delete(seq, count)
        from_code.drop(self)


_Handler = Callable[[Broker, Peer, Any, bytes, Sequence[Buffer]], None]
_INTAKE = frozenset(
    {wire.Define, wire.Submit, wire.SetConst, wire.Checkpoint, wire.Step, wire.Source}
)
_ENDED = frozenset(  # not taken in once it has diverged
    {wire.Submit, wire.SetConst, wire.Checkpoint, wire.Step, wire.End}
)
_ROOT = frozenset({"root"})
_WORKER = frozenset({"worker"})
_AGENT = frozenset({"agent"})
_ALL = frozenset({"root", "worker", "agent", "observer"})

_HANDLERS: dict[type, tuple[_Handler, frozenset[str]]] = {  # what is done, and who may ask for it
    wire.Define: (from_parent.on_define, WITH_PARENTS),
    wire.Submit: (from_parent.on_submit, WITH_PARENTS),
    wire.SetConst: (constants.on_set_const, WITH_PARENTS),
    wire.Cancel: (cancelling.on_cancel, WITH_PARENTS),
    wire.Query: (cancelling.on_query, WITH_PARENTS),
    wire.Credit: (from_parent.on_credit, WITH_PARENTS),
    wire.End: (from_parent.on_end, _ROOT),
    wire.Checkpoint: (keeping.on_checkpoint, WITH_PARENTS),
    wire.Step: (keeping.on_step, WITH_PARENTS),
    wire.Fetch: (keeping.on_fetch, WITH_PARENTS),
    wire.Results: (from_worker.on_results, WITH_PARENTS),  # a root gives back what was passed on
    wire.Returned: (from_worker.on_returned, _WORKER),
    wire.Idle: (from_worker.on_idle, _WORKER),
    wire.Leaving: (from_worker.on_leaving, _WORKER),
    wire.Heartbeat: (from_agent.on_heartbeat, _AGENT),
    wire.Gone: (from_agent.on_gone, _AGENT),
    wire.AskStatus: (from_agent.on_ask_status, _ALL),
    wire.Source: (from_code.on_source, WITH_PARENTS),
    wire.AskSource: (from_code.on_ask_source, WITH_PARENTS),
}
