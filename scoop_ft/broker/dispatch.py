"""Who gets what: leases, spans for workers with nothing to do, recalls from those with too much.

Decides on what `Ready` holds and what `Peer`s have; sends through the broker's outbox.  No I/O
beyond reading the journal through its port.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """Gives spans to workers and takes them back."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._idle: dict[bytes, Peer] = {}  # workers that have nothing
        self._waiting: dict[bytes, Peer] = {}  # and those whose tasks wait, or did a moment ago
        self._busy: dict[bytes, Peer] = {}  # workers that have said something since they had work
        self._headers: dict[bytes, Submit] = {}

    # ---- leases ----------------------------------------------------------------------------

    def lease(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """The worker has these tasks."""
        peer.lease(batch, start, stop, self._broker.costs.in_hand(batch))
        self._busy[peer.session] = peer
        peer.recall_wait = 0.0

    def release(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """The worker has these tasks no longer."""
        peer.release(batch, start, stop)
        if peer.load:
            self._busy[peer.session] = peer
        elif self._waiting.pop(peer.session, None) is not None:
            self._idle[peer.session] = peer

    def take_away(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """Somebody else has finished these tasks: the worker need not begin them."""
        spans: list[SpanRef] = [
            (batch.id, max(a, start), min(b, stop))
            for a, b, _ in peer.leases.get(batch.id, ())
            if max(a, start) < min(b, stop)
        ]
        for _, a, b in spans:
            self.release(peer, batch, a, b)
        if spans and peer.connected:
            self._broker.drop(peer, spans)

    def take_back(self, peer: Peer, batch: Batch, index: int) -> None:
        """A task cannot go on where it runs: it is queued again, at the front."""
        broker = self._broker
        if once.fail_taken_back(broker, peer, batch, index):
            return
        self.release(peer, batch, index, index + 1)
        broker.resubmitted += broker.requeue(batch, index, index + 1, first=True)
        broker.orphan_family(task_id(batch.id, index))
        broker.drop(peer, [(batch.id, index, index + 1)])

    def take_family(self, parent: bytes) -> None:
        """A parent has failed: nobody need run its descendants, and nobody asks for them."""
        broker = self._broker
        parents = [parent]
        while parents:
            name = parents.pop()
            broker.orphan_family(name)
            family = broker.book.families.get(name)
            for batch in family.batches.values() if family is not None else ():
                for session in sorted(batch.holders):
                    self.take_away(broker.peers[session], batch, 0, batch.count)
                batch.move_all(0, batch.count, LEASED, HELD)
                parents += [task_id(batch.id, index) for index in batch.families]

    def abandon(self, batch: Batch, start: int, stop: int) -> None:
        """Nobody wants these tasks, nor their descendants, from the workers that have them."""
        for session in sorted(batch.holders):
            self.take_away(self._broker.peers[session], batch, start, stop)
        for index in [i for i in batch.families if start <= i < stop]:
            self.take_family(task_id(batch.id, index))

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
        while (span := ready.next()) is not None:
            peer = self._next_idle() or (self._next_busy(reserved) if prefetching else None)
            if peer is None:
                return
            batch, start, stop = span
            stop = self._cut(batch, start, stop)
            ready.take(stop)
            self._run(peer, batch, start, stop)
        if ready.lanes:
            self._give_lanes(prefetching, urgent=False)
        if self.any_idle() and ready.next_alone() is None:
            self._recall()

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
                stop = start + 1 if lane.single else self._cut(batch, start, stop)
                lanes.take(lane, stop)
                self._run(peer, batch, start, stop)
        return reserved

    def _cut(self, batch: Batch, start: int, stop: int) -> int:
        broker = self._broker
        workers = sum(1 for p in broker.peers.values() if p.role == "worker" and p.connected)
        share = broker.book.tally.of(QUEUED) // (2 * max(workers, 1))
        which = self._header(batch).which if len(batch.functions) > 1 else b""
        view = memoryview(which).cast("H") if which else None
        return broker.costs.span(batch, view, start, stop, share)[0]

    def _next_idle(self, needs: Needs = ()) -> Peer | None:
        """Those with nothing go first: where tasks have waited, they may compute again by now."""
        for idle in (self._idle, self._waiting):
            for session in list(idle):
                peer = idle[session]
                if not peer.connected or peer.suspended:
                    del idle[session]
                elif not needs or has(peer.resources, needs):
                    return peer
        return None

    def _next_busy(self, reserved: Sequence[Needs] = (), needs: Needs = ()) -> Peer | None:
        """A worker that will soon have nothing left."""
        best: Peer | None = None
        for session, peer in list(self._busy.items())[:BUSY_LOOKS]:
            usable = peer.connected and not peer.suspended and not peer.isolated
            if not usable or peer.backlog_s >= PREFETCH_S or not peer.load:
                del self._busy[session]  # its next report brings it back
            elif not has(peer.resources, needs) or any(has(peer.resources, r) for r in reserved):
                continue
            elif best is None or peer.backlog_s < best.backlog_s:
                best = peer
        return best

    def _run(self, peer: Peer, batch: Batch, start: int, stop: int) -> None:
        """Send a span to a worker."""
        broker = self._broker
        batch.move(start, stop, LEASED)
        self.not_idle(peer)
        self.lease(peer, batch, start, stop)
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
            if len(self._headers) >= HEADERS:
                del self._headers[next(iter(self._headers))]
            self._headers[batch.id] = header
        return header

    # ---- taking back -----------------------------------------------------------------------

    def _recall(self) -> None:
        """Somebody is idle and nothing is queued: ask those with most in hand for a part of it."""
        broker = self._broker
        loaded = [
            p
            for p in broker.peers.values()
            if p.role == "worker" and p.connected and p.load and not p.idle and not p.recall
            and not p.suspended and (not p.isolated or p.load > 1) and p.recall_at <= broker.now
            and p.session not in broker.refused  # its answer would not be heard
        ]  # fmt: skip
        loaded.sort(key=lambda peer: -peer.load)
        for peer in loaded[: len(self._idle) + len(self._waiting)]:
            broker.requests += 1
            peer.recall = broker.requests
            peer.recall_sent = broker.now
            broker.send(peer.session, Recall(peer.recall))


def _around(start: int, stop: int, kept: int) -> list[tuple[int, int]]:
    """Return the range without the one index that is kept."""
    if not start <= kept < stop:
        return [(start, stop)]
    return [(a, b) for a, b in ((start, kept), (kept + 1, stop)) if a < b]
