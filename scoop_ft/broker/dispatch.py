"""Who gets what: leases, spans for workers with nothing to do, recalls from those with too much.

Decides on what `Ready` holds and what `Peer`s have; sends through the broker's outbox.  No I/O
beyond reading the journal through its port.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING

from ..ids import task_id
from ..wire.codec import decode_header
from ..wire.messages import Function, Recall, Run, SpanRef, Submit
from . import once
from .lanes import Needs, has
from .peers import Peer
from .policy import PREFETCH_S
from .ports import Ref
from .tasks import HELD, LEASED, QUEUED, Batch

if TYPE_CHECKING:
    from .core import Broker

HEADERS = 64  # decoded batch headers kept at hand
SETTLE_S = 0.02  # a worker that was just given something is not asked to give it back
BUSY_LOOKS = 8  # workers looked at for prefetching in one step


class Dispatcher:
    """Gives spans to workers and takes them back.

    Attributes
    ----------
    moved_at : float
        When a worker was last given something, or has last got rid of something.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.moved_at = 0.0
        # Workers that have nothing; those whose tasks wait, or did a moment ago; those that have
        # said something since they had work.  (Ordered: their first ones are taken all the time.)
        self._idle: OrderedDict[bytes, Peer] = OrderedDict()
        self._waiting: OrderedDict[bytes, Peer] = OrderedDict()
        self._busy: OrderedDict[bytes, Peer] = OrderedDict()
        self._resting: list[tuple[float, int, Peer]] = []  # a heap: with work, not to be asked yet
        self._rests = 0
        self._askable: dict[bytes, Peer] = {}  # with work, and rested
        self._recalled: dict[bytes, Peer] = {}  # asked, not known to have answered
        self._headers: dict[bytes, Submit] = {}

    # ---- leases ----------------------------------------------------------------------------

    def lease(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """The worker has these tasks."""
        self.moved_at = self._broker.now
        if not peer.load:
            peer.began_at = self._broker.now
        peer.lease(batch, start, stop, self._broker.costs.in_hand(batch) * peer.drag)
        self._busy[peer.session] = peer
        peer.recall_wait = 0.0
        self.may_recall(peer)

    def release(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """The worker has these tasks no longer."""
        self.moved_at = self._broker.now
        peer.release(batch, start, stop)
        if peer.load:
            self._busy[peer.session] = peer
        elif self._waiting.pop(peer.session, None) is not None:
            self._idle[peer.session] = peer

    def take_away(
        self, peer: Peer, batch: Batch, start: int, stop: int, *, cancelled: bool = False
    ) -> None:
        """Somebody else has finished these tasks: the worker need not begin them."""
        spans: list[SpanRef] = [
            (batch.id, max(a, start), min(b, stop))
            for a, b, _ in peer.leases.get(batch.id, ())
            if max(a, start) < min(b, stop)
        ]
        for _, a, b in spans:
            self.release(peer, batch, a, b)
        if spans and peer.connected:
            self._broker.drop(peer, spans, cancelled=cancelled)

    def take_back(self, peer: Peer, batch: Batch, index: int, why: str) -> None:
        """A task cannot go on where it runs: it is queued again, at the front."""
        broker = self._broker
        if once.fail_taken_back(broker, peer, batch, index, why):
            return
        self.release(peer, batch, index, index + 1)
        broker.resubmitted += broker.requeue(batch, index, index + 1, first=True)
        broker.orphan_family(task_id(batch.id, index))
        broker.drop(peer, [(batch.id, index, index + 1)])

    def take_family(self, parent: bytes, *, cancelled: bool = False) -> None:
        """A parent has ended without a result: nobody asks for its descendants, in this run."""
        broker = self._broker
        parents = [parent]
        while parents:
            name = parents.pop()
            broker.orphan_family(name)
            family = broker.book.families.get(name)
            for batch in family.batches.values() if family is not None else ():
                for session in batch.holders.all():
                    peer = broker.peers[session]
                    self.take_away(peer, batch, 0, batch.count, cancelled=cancelled)
                batch.move_all(0, batch.count, LEASED, HELD)
                parents += [task_id(batch.id, index) for index in batch.families]

    def abandon(self, batch: Batch, start: int, stop: int) -> None:
        """Nobody wants these tasks, nor their descendants, from the workers that have them."""
        for session in batch.holders.of(start, stop):
            self.take_away(self._broker.peers[session], batch, start, stop, cancelled=True)
        for index in [i for i in batch.families if start <= i < stop]:
            self.take_family(task_id(batch.id, index), cancelled=True)

    def take_all(self, peer: Peer, *, but: bytes = b"") -> None:
        """The worker is gone or silent: all it held (but one task) is queued again, at the front.

        Parents among it run nowhere now.
        """
        broker = self._broker
        spans: list[SpanRef] = []
        for name, start, stop in list(peer.held()):
            batch = broker.book.batches.get(name)
            if batch is None:
                continue
            kept = int.from_bytes(but[16:], "big") if but[:16] == name else -1
            for a, b in once.repeatable(batch, _around(start, stop, kept)):
                spans.append((name, a, b))
                peer.release(batch, a, b)
                moved = broker.requeue(batch, a, b, first=True)
                broker.resubmitted += 0 if broker.stopping else moved
                for index in [i for i in batch.families if a <= i < b]:
                    broker.orphan_family(name + index.to_bytes(4, "big"))
        if spans and peer.connected:
            broker.drop(peer, spans)
        self._busy.pop(peer.session, None)

    def now_idle(self, peer: Peer) -> None:
        """The worker could run something."""
        peer.idle = True
        peer.isolated = False
        if not peer.suspended:
            (self._waiting if peer.load else self._idle)[peer.session] = peer

    def not_idle(self, peer: Peer) -> None:
        """The worker cannot be given anything now."""
        peer.idle = False
        self._idle.pop(peer.session, None)
        self._waiting.pop(peer.session, None)
        self._busy.pop(peer.session, None)

    def any_idle(self) -> bool:
        """Is there a worker that waits for work?"""
        return bool(self._idle or self._waiting)

    def idle_sessions(self) -> list[bytes]:
        """Return the workers that wait for work: those with nothing first, then longest first."""
        return [*self._idle, *self._waiting]

    # ---- giving ----------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Hand out what is queued; when nothing is and somebody is idle, recall."""
        ready = self._broker.ready
        self._broker.copies.look()
        while (span := ready.next_alone()) is not None:
            peer = self._next_idle()
            if peer is None:
                break
            peer.isolated = True
            ready.take(span[2], alone=True)
            self._run(peer, *span)
        # While one waits to be tried alone nobody is kept busy: the next to be through tries it.
        prefetching = ready.next_alone() is None
        reserved = self._give_lanes(prefetching, urgent=True) if ready.lanes else []
        while (span := ready.next(self._broker.costs.most(self._share()))) is not None:
            peer = self._next_idle() or (self._next_busy(reserved) if prefetching else None)
            if peer is None:
                return
            batch, start, stop = span
            stop = self._cut(peer, batch, start, stop)
            ready.take(stop)
            self._run(peer, batch, start, stop)
        if ready.lanes:
            self._give_lanes(prefetching, urgent=False)
        if self.any_idle() and ready.next_alone() is None:
            self._recall()
            self._broker.copies.begin()

    def idle(self) -> list[Peer]:
        """Return those who have nothing at all and can be given something."""
        return [p for p in self._idle.values() if p.connected and not p.suspended]

    def _give_lanes(self, prefetching: bool, *, urgent: bool) -> list[Needs]:
        """Hand out what asks for something; ``urgent``: what goes before all that does not.

        Returns what is to be kept free: workers that have it get nothing else before they are idle,
        or what waits for them would wait until nothing else is left.
        """
        lanes, reserved = self._broker.ready.lanes, list[Needs]()
        for lane in lanes.in_order(urgent=urgent):
            while (span := lanes.next(lane)) is not None:
                peer = self._next_idle(lane.needs)
                if peer is None and prefetching and not lane.single:
                    peer = self._next_busy(reserved, lane.needs)
                if peer is None:
                    reserved.append(lane.needs)
                    break
                batch, start, stop = span
                peer.isolated = start in batch.attempts
                stop = start + 1 if lane.single else self._cut(peer, batch, start, stop)
                lanes.take(lane, stop)
                self._run(peer, batch, start, stop)
        return reserved

    def _cut(self, peer: Peer, batch: Batch, start: int, stop: int) -> int:
        broker = self._broker
        view = memoryview(batch.which).cast("H") if batch.which else None
        return broker.costs.span(batch, view, start, stop, self._share(), peer.drag)[0]

    def _share(self) -> int:
        """Return how many of all that is queued are a worker's fair share."""
        broker = self._broker
        return broker.book.tally.of(QUEUED) // (2 * max(broker.peers.usable, 1))

    def _next_idle(self, needs: Needs = ()) -> Peer | None:
        """Those with nothing go first: where tasks have waited, they may compute again by now."""
        for idle in (self._idle, self._waiting):
            gone: list[bytes] = []
            found: Peer | None = None
            for session, peer in idle.items():
                if not peer.connected or peer.suspended:
                    gone.append(session)
                elif not needs or has(peer.resources, needs):
                    found = peer
                    break
            for session in gone:
                del idle[session]
            if found is not None:
                return found
        return None

    def _next_busy(self, reserved: Sequence[Needs] = (), needs: Needs = ()) -> Peer | None:
        """A worker that will soon have nothing left."""
        best: Peer | None = None
        for session, peer in list(islice(self._busy.items(), BUSY_LOOKS)):
            usable = peer.connected and not peer.suspended and not peer.isolated
            if not usable or peer.backlog_s >= PREFETCH_S or not peer.load:
                del self._busy[session]  # its next report brings it back
            elif not has(peer.resources, needs) or any(has(peer.resources, r) for r in reserved):
                continue
            elif best is None or peer.backlog_s < best.backlog_s:
                best = peer
        return best

    def _run(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """Let a worker have a span."""
        batch.move(start, stop, LEASED)
        self.lease(peer, batch, start, stop)
        self.send(peer, batch, start, stop)

    def send(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """Send a span to a worker."""
        broker = self._broker
        self.not_idle(peer)
        header = self._header(batch)
        for function in header.functions:
            if function not in peer.functions:
                peer.functions.add(function)
                seq, name = broker.book.functions[function]
                broker.send(peer.session, Function(function, name), [Ref(seq)])
        ends = memoryview(header.ends).cast("I")
        base = ends[start - 1] if start else 0
        chosen = [(k, item) for k, item in enumerate(header.buffers) if start <= item[0] < stop]
        frames = [Ref(batch.seq, base, ends[stop - 1])]
        frames += [Ref(batch.seq, buffer=k) for k, _ in chosen]
        peer.runs += 1
        # Recalled before it could begin, a task might be sent to and fro for ever.
        peer.recall_at = max(peer.recall_at, broker.now + SETTLE_S)
        broker.send(
            peer.session,
            Run(
                batch=batch.id,
                start=start,
                stop=stop,
                lineage=batch.lineage,
                ordinal=batch.first + start,
                functions=header.functions,
                which=header.which[2 * start : 2 * stop],
                ends=bytes(ends[start:stop]),
                base=base,
                buffers=[item for _, item in chosen],
                replayed=sorted(i for i in batch.families if start <= i < stop),
                time_limit_s=batch.options_of(start).time_limit_s,
            ),
            frames,
        )

    def _header(self, batch: Batch) -> Submit:
        header = self._headers.get(batch.id)
        if header is None:
            with self._broker.journal.reading() as view:
                header = decode_header(view.header(batch.seq), Submit)
            self.keep_at_hand(header)
        return header

    def keep_at_hand(self, header: Submit) -> None:
        """The header of a batch was just read, or written: it need not be read again soon."""
        if len(self._headers) >= HEADERS:
            del self._headers[next(iter(self._headers))]
        self._headers[header.batch] = header

    # ---- taking back -----------------------------------------------------------------------

    def recalled(self) -> list[Peer]:
        """Return the workers that were asked for a part of their work and have not answered."""
        peers = self._broker.peers
        for session, peer in list(self._recalled.items()):
            if not peer.recall or peers.get(session) is not peer:
                del self._recalled[session]
        return list(self._recalled.values())

    def may_recall(self, peer: Peer) -> None:
        """A worker has work, or has answered: it may be asked for some, when it has rested."""
        if not (peer.resting or peer.recall):
            peer.resting = True
            self._rest(peer)

    def _recall(self) -> None:
        """Somebody is idle and nothing is queued: ask those with most in hand for a part of it."""
        broker = self._broker
        self._wake()
        loaded = [
            p
            for p in self._askable.values()
            if p.connected and not p.idle and not p.suspended and (not p.isolated or p.load > 1)
            and p.session not in broker.refused  # its answer would not be heard
        ]  # fmt: skip
        loaded.sort(key=lambda peer: (-peer.load, peer.place))
        for peer in loaded[: len(self._idle) + len(self._waiting)]:
            broker.requests += 1
            peer.recall = broker.requests
            peer.recall_sent = broker.now
            self._recalled[peer.session] = peer
            broker.send(peer.session, Recall(peer.recall))

    def _rest(self, peer: Peer) -> None:
        self._rests += 1
        heappush(self._resting, (peer.recall_at, self._rests, peer))
        peers = self._broker.peers
        if len(self._resting) > 2 * len(peers) + 16:  # most are of peers that are gone
            self._resting = [
                each for each in self._resting if peers.get(each[2].session) is each[2]
            ]
            heapify(self._resting)

    def _wake(self) -> None:
        """Have those at hand who have work, were not asked, and have rested."""
        broker = self._broker
        while self._resting and self._resting[0][0] <= broker.now:
            peer = heappop(self._resting)[2]
            if broker.peers.get(peer.session) is peer:  # else it has another connection since
                self._askable[peer.session] = peer
        for session, peer in list(self._askable.items()):
            if not peer.load or peer.recall or broker.peers.get(session) is not peer:
                del self._askable[session]
                peer.resting = False  # its next lease, or its answer, brings it back
            elif peer.recall_at > broker.now:
                del self._askable[session]
                self._rest(peer)


def _around(start: int, stop: int, kept: int) -> list[tuple[int, int]]:
    """Return the range without the one index that is kept."""
    if not start <= kept < stop:
        return [(start, stop)]
    return [(a, b) for a, b in ((start, kept), (kept + 1, stop)) if a < b]
