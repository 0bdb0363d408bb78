"""What the broker does on messages from agents and observers: what is seen from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ..ids import BATCH_ID_BYTES, short, task_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from . import figures, once, records
from .peers import Peer
from .records import Crash, Kind
from .tasks import CANCELLED, HELD, LEASED, Batch

if TYPE_CHECKING:
    from .core import Broker

MOST_TURNED_AWAY: Final = 100  # machines that are remembered
LONGEST_REASON: Final = 500


def on_heartbeat(
    b: Broker, peer: Peer, m: wire.Heartbeat, header: bytes, frames: Sequence[Buffer]
) -> None:
    """An agent and its workers are alive: a stopped one gets nothing, and loses what it held."""
    for report in m.workers:
        worker = b.peers.get(report.session)
        if worker is None:
            if b.grace_until:
                b.expected.add(report.session)
            if report.session in b.expected and report.task:
                _await_busy_worker(b, peer, report)
            continue
        if not worker.connected and not report.task:
            continue
        if worker.report is not None and worker.report.task != report.task:
            worker.recall_sent = b.now  # it has had a pause: its answer is on its way
        worker.report = report
        worker.heard_at = b.now
        stopped = report.state == "stopped"
        if stopped and not worker.suspended:
            b.dispatcher.take_all(worker)
            worker.suspended = True
        elif not stopped and worker.suspended and not worker.leaving:
            worker.suspended = False
            if worker.idle:
                b.dispatcher.now_idle(worker)
        if worker.connected and not stopped and report.task:
            _drop_cancelled(b, worker, report.task)
    b.agents_heard = True
    b.send(peer.session, wire.Stats(figures.overview(b)))


def _drop_cancelled(b: Broker, worker: Peer, task: bytes) -> None:
    """What it computes was given up, and it has not heard that, or not yet acted on it.

    It may have been told of that on a connection that broke, or when another was given the task; or
    it has come back with what lies below what was given up while it was away.
    """
    found = b.book.task(task) if b.book.tally.of(CANCELLED) else None
    if found is None or not b.book.is_given_up(task):
        return
    batch, index = found
    if batch.state[index] == LEASED:
        b.dispatcher.abandon(batch, index, index + 1)
        batch.move(index, index + 1, HELD)
    if not worker.gives_up(batch.id, index):  # else it has yet to answer
        b.drop(worker, [(batch.id, index, index + 1)], cancelled=True)


def _await_busy_worker(b: Broker, agent: Peer, report: wire.WorkerReport) -> None:
    """A worker of before the restart is too busy to say hello: what it runs is its own."""
    hello = wire.Hello(1, report.session, "worker", agent.host, report.pid, agent.session, [], [])
    worker = Peer(hello, b.now)
    worker.connected = False
    worker.lost_at = b.now
    worker.report = report
    worker.suspended = report.state == "stopped"
    b.peers[report.session] = worker
    if not worker.suspended:
        _lease_what_runs(b, worker, report)


def lease_to_the_busy(b: Broker, batch: Batch) -> None:
    """A batch is said again: some of it may be what a worker runs that is too busy to say hello."""
    for worker in list(b.peers.away.values()) if b.grace_until else ():
        report = worker.report if not worker.suspended else None
        if report is not None and report.task[:BATCH_ID_BYTES] == batch.id:
            _lease_what_runs(b, worker, report)


def _lease_what_runs(b: Broker, worker: Peer, report: wire.WorkerReport) -> None:
    found = b.book.task(report.task)
    if found is not None:
        batch, index = found
        if batch.state[index] < LEASED:
            batch.move(index, index + 1, LEASED)
            b.dispatcher.lease(worker, batch, index, index + 1)


def on_gone(b: Broker, peer: Peer, m: wire.Gone, header: bytes, frames: Sequence[Buffer]) -> None:
    """A worker's process has ended: the task that ran is blamed, the others are not."""
    worker = b.peers.get(m.session)
    b.expected.discard(m.session)
    b.gone.add(m.session)
    # What a broker that died had not recorded of this worker, its joining too, comes again.
    died = m.signal != 0 or m.code != 0 or m.abrupt
    crashed = died and m.session not in b.book.dead
    if worker is not None:
        b.dispatcher.not_idle(worker)
        if crashed and m.task and b.book.task(m.task) is None:
            _watch_parents(b, worker)
    batch = m.task[:BATCH_ID_BYTES]
    if crashed and batch and batch not in b.book.batches and b.grace_until:
        b.await_batch(batch, peer, m, header)  # the end and the blame are recorded as one
    else:
        record_end(b, worker, peer, m, crashed=crashed)
    if worker is not None:
        once.give_up(b, worker, peer, m)
        b.dispatcher.take_all(worker)
        del b.peers[m.session]
        b.refused.discard(m.session)


def _watch_parents(b: Broker, worker: Peer) -> None:
    """A task died that nobody had told us of: a child of something this worker held.

    As parents with a family these tasks are run again with all that they submit told to us, so
    that a child that kills its worker is known the next time, and its attempts are counted.
    """
    for name, start, stop in worker.held():
        for index in range(start, stop):
            b.book.family(task_id(name, index))


def record_end(b: Broker, worker: Peer | None, agent: Peer, m: wire.Gone, *, crashed: bool) -> None:
    """A worker has ended; the task that it ran when it crashed is to blame."""
    blamed = crashed and bool(m.task)
    if blamed or m.session in b.book.members:
        b.record_member(m.session, agent.session, agent.host, alive=False)
    if blamed:
        _blame(b, worker, agent, m)


def _blame(b: Broker, worker: Peer | None, agent: Peer, m: wire.Gone) -> None:
    """Count a crash, and give the task up when there were too many."""
    found = b.book.task(m.task)
    if found is None:
        return
    batch, index = found
    state = batch.state[index]
    if state > LEASED:
        return
    held = worker is not None and worker.holds(batch, index)
    copy = worker is not None and b.copies.is_copy(worker, batch.id, index)
    if (m.stopped or m.overdue or copy) and state == LEASED and not held:
        return  # it was given to somebody else before: this process no longer answers for it
    how = how_it_ended(m)
    options = batch.options_of(index)
    if m.overdue:
        attempts = batch.attempts.get(index, 0) + 1
        more: dict[str, Any] = {"limit": options.time_limit_s}
    else:
        crash = Crash(batch.id, index, how)
        seq = b.append(Kind.CRASH, records.encode(crash))
        attempts = b.book.apply_crash(seq, crash)
        own = options.attempts if options.repeatable else 1
        if own:
            if attempts < own:
                return
        elif attempts < b.max_attempts:
            return
        more = {} if options.repeatable else {"once": True}
    for session in batch.holders.of(index, index + 1):
        if b.peers[session] is worker:
            b.dispatcher.release(worker, batch, index, index + 1)
        else:  # it runs a second time
            b.dispatcher.take_away(b.peers[session], batch, index, index + 1)
    b.fail(batch, index, {**story(b, batch, index, attempts, agent, m, how), **more})


def how_it_ended(m: wire.Gone) -> str:
    """Say how a process ended, as it is recorded."""
    return f"signal {m.signal}" if m.signal else f"exit code {m.code}"


def story(
    b: Broker, batch: Batch, index: int, attempts: int, agent: Peer, m: wire.Gone, how: str
) -> dict[str, Any]:
    """Return what is known of the end of a task that is given up."""
    return {
        "task": f"{short(batch.id)}:{index}",
        "function": b.book.function_of(batch, index),
        "attempts": attempts,
        "signal": m.signal,
        "how": how,
        "host": agent.host,
        "memory": 0,
        "stderr": m.stderr,
    }


def on_ask_status(
    b: Broker, peer: Peer, m: wire.AskStatus, header: bytes, frames: Sequence[Buffer]
) -> None:
    """An observer asks how the run is, or says why its machine does not join it."""
    if m.refused and (peer.host in b.turned_away or len(b.turned_away) < MOST_TURNED_AWAY):
        b.turned_away[peer.host] = m.refused[:LONGEST_REASON]
    b.send(peer.session, wire.Stats(figures.stats(b)))
