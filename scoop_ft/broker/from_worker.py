"""What the broker does on messages from workers: results, spans handed back, idleness, leaving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..ids import task_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from . import departed
from .cancelling import finish_cancel
from .peers import Peer
from .tasks import CANCELLED, LEASED, Batch

if TYPE_CHECKING:
    from .core import Broker

RECALL_FIRST_S = 0.02  # wait after an empty answer to a recall; doubles up to RECALL_MOST_S
RECALL_MOST_S = 1.0


def on_results(
    b: Broker, peer: Peer, m: wire.Results, header: bytes, frames: Sequence[Buffer]
) -> None:
    """Results: the first of each task is recorded and passed on, the others are counted."""
    batch = b.book.batches.get(m.batch)
    if batch is None:
        _without_batch(b, peer, m, header, frames)
        return
    if m.ranges[-1][1] > batch.count or (m.status and max(m.status) > wire.Status.LOST):
        raise ProtocolError("results that no worker can have")
    if b.book.departing and departed.at_its_end(b, batch, m):
        return  # its worker has it still, and the run ends
    count = sum(stop - start for start, stop in m.ranges)
    if any(m.status) and b.copies.is_copy(peer, m.batch, m.ranges[0][0]):
        # What the copy has met there the task need not meet: it runs where it was begun.
        b.copies.forget(peer, [(m.batch, start, stop) for start, stop in m.ranges])
        b.late += count
        return
    if m.timed:
        function, size = batch.function_of(m.ranges[0][0]), sum(map(len, frames)) / count
        peer.keep_pace(b.costs.report(function, m.timed, m.elapsed_ns * 1e-9, size))
    peer.began_at = b.now
    b.copies.forget(peer, [(m.batch, start, stop) for start, stop in m.ranges])
    fresh = b.record_results(m, header, frames)
    b.late += count - sum(stop - start for start, stop in fresh)
    peer.tasks_done += count
    b.delivery.forward(batch, m, frames, fresh, peer.session)
    for start, stop in m.ranges:
        b.dispatcher.release(peer, batch, start, stop)
        for session in batch.holders.of(start, stop):
            if session != peer.session:
                b.dispatcher.take_away(b.peers[session], batch, start, min(stop, batch.count))


def _without_batch(
    b: Broker, peer: Peer, m: wire.Results, header: bytes, frames: Sequence[Buffer]
) -> None:
    """Results of a batch nobody recorded: its sender may be about to send it again."""
    if b.grace_until:
        b.await_batch(m.batch, peer, m, header, frames)
    else:
        b.late += sum(stop - start for start, stop in m.ranges)


def on_returned(
    b: Broker, peer: Peer, m: wire.Returned, header: bytes, f: Sequence[Buffer]
) -> None:
    """Spans that had not started come back."""
    if m.drop:  # they were taken from it before it was told, and may have been given to it again
        if peer.dropping:
            peer.dropping.popleft()
        return
    b.copies.forget(peer, m.spans)
    cancel = b.cancels.get(m.recall) if m.recall else None
    for name, start, stop in m.spans:
        batch = b.book.batches.get(name)
        if batch is None:
            continue
        back: list[wire.Range] = []  # together again: each stretch that is queued is a message
        for index in range(start, min(stop, batch.count)):
            if not peer.holds(batch, index):
                continue
            b.dispatcher.release(peer, batch, index, index + 1)
            ordinal = cancel.asked.pop((name, index), None) if cancel is not None else None
            if batch.state[index] != LEASED or _held_by_other(b, batch, index):
                continue
            if index in batch.families:  # an attempt that was given up has submitted children
                b.orphan_family(task_id(name, index))
            if cancel is not None and ordinal is not None and _hosts(b, cancel.session, batch):
                batch.move(index, index + 1, CANCELLED)
                cancel.done.append((ordinal, ordinal + 1))
            elif back and back[-1][1] == index:
                back[-1] = (back[-1][0], index + 1)
            else:
                back.append((index, index + 1))
        for first, end in back:
            b.requeue(batch, first, end, first=True)
    if cancel is not None:
        cancel.waits_for.discard(peer.session)
        if not cancel.waits_for:
            finish_cancel(b, m.recall)
    if m.recall and m.recall == peer.recall:
        peer.recall = 0
        found = bool(m.spans)
        wait = max(RECALL_FIRST_S, peer.recall_wait * 2)
        peer.recall_wait = 0.0 if found else min(RECALL_MOST_S, wait)
        peer.recall_at = b.now + peer.recall_wait
        b.dispatcher.may_recall(peer)
        if not found:
            b.copies.is_bare(peer)


def _hosts(b: Broker, session: bytes, batch: Batch) -> bool:
    """Does the parent still run in the session that gave its child up?"""
    family = b.book.families.get(batch.parent)
    return family is not None and family.host == session


def _held_by_other(b: Broker, batch: Batch, index: int) -> bool:
    return bool(batch.holders.of(index, index + 1))


def on_idle(b: Broker, peer: Peer, m: wire.Idle, header: bytes, frames: Sequence[Buffer]) -> None:
    """A worker could run something: unless what it asks for is on its way already."""
    if m.runs == peer.runs:
        b.dispatcher.now_idle(peer)


def on_leaving(
    b: Broker, peer: Peer, m: wire.Leaving, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A worker goes away of its own will: what it has left is nobody's fault."""
    before = b.resubmitted
    b.dispatcher.take_all(peer)
    b.resubmitted = before  # it was not lost
    peer.suspended = peer.leaving = True
