"""What the broker does on messages from sessions that host parents: root and workers.

Hello, functions, batches, constants, cancellation, the end of the script.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ProtocolError
from ..ids import ROOT_ID, SESSION_BYTES, split_task_id, task_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from . import departed, departures, from_agent, from_code, replay
from .families import Family
from .peers import Peer
from .ports import Ref
from .records import Kind
from .tasks import CANCELLED, HELD, LEASED, QUEUED, Batch

if TYPE_CHECKING:
    from .core import Broker


# ---- hello ---------------------------------------------------------------------------------


def on_hello(b: Broker, m: wire.Hello) -> None:
    """A session connects, for the first time or again."""
    if m.session in b.gone:
        b.send(m.session, wire.Refused("this process has ended, or another has taken its place"))
        return
    if m.session in b.book.outdated:
        b.send(m.session, wire.Refused("functions were edited since: start the worker again"))
        return
    known = b.peers.get(m.session)
    if known is not None and known.role != m.role:
        b.send(m.session, wire.Refused(f"this session is a {known.role}, not a {m.role}"))
        return
    if m.version != wire.PROTOCOL_VERSION:
        text = f"this broker speaks protocol {wire.PROTOCOL_VERSION}, not {m.version}"
        b.send(m.session, wire.Refused(f"{text}: install the same scoop-ft on both machines"))
        return
    peer = _admit(b, m)
    settings = {**b.settings, "root": _other_root(b, m)} if m.role == "root" else b.settings
    b.send(m.session, wire.Welcome(b.run, b.incarnation, settings))
    if m.role in ("root", "worker"):
        for key, (seq, records_) in b.book.consts.items():
            _send_const(b, m.session, key, seq, records_)
        from_code.welcome(b, m.session)
    if m.role == "worker":
        began_at = peer.began_at
        _take_holdings(b, peer, m.holding)
        peer.began_at = began_at  # on another connection, too
    for hosting in m.hosting:
        _take_hosting(b, peer, hosting)
    if m.role == "root" and b.diverged:
        b.send(m.session, wire.Stop(b.diverged))
    if m.role == "agent" and b.stopping:
        b.say_over(m.session)  # it was not connected when the others were told


def _admit(b: Broker, m: wire.Hello) -> Peer:
    old = b.peers.get(m.session)
    peer = Peer(m, b.now)
    if old is not None:  # the same process on a new connection: what it holds it says itself
        peer.leases, peer.load, peer.backlog_s = old.leases, old.load, old.backlog_s
        peer.acked = peer.seen = 0
        peer.report = old.report
        peer.began_at, peer.pace, peer.paced = old.began_at, old.pace, old.paced
        b.dispatcher.not_idle(old)
        b.outbox = [send for send in b.outbox if send.session != m.session]  # for the older one
        _forget_orphans(b, m.session)
        for number in [k for k, asked in b.cancels.items() if asked.session == m.session]:
            del b.cancels[number]  # it asks again; two answers might be two different ones
    b.peers[m.session] = peer
    if m.role == "root" and not _has_other_root(b, m.session):
        take_over(b, m.session)
    if m.role == "worker":
        b.expected.discard(m.session)
        if m.session not in b.book.members:
            b.record_member(m.session, m.agent, m.host, alive=True)
    return peer


def _forget_orphans(b: Broker, session: bytes) -> None:
    """What waited for its batch will be said again, on the new connection."""
    for name, messages in list(b.orphans.items()):
        b.orphans[name] = [message for message in messages if message[0] != session]
        if not b.orphans[name]:
            del b.orphans[name]


def _has_other_root(b: Broker, session: bytes) -> bool:
    """Is another root connected?  Then who says hello must say more to take over.

    What a dead root had said may come after what the living one says.
    """
    present = b.peers.get(b.root)
    return b.root != session and present is not None and present.connected


def _other_root(b: Broker, m: wire.Hello) -> str:
    """Name the root that is connected, for one that has come beside it.

    It may be gone without a word: whoever is sent something and is not there is found out, and who
    is there has heard this already.
    """
    if not _has_other_root(b, m.session):
        return ""
    b.send(b.root, wire.Welcome(b.run, b.incarnation, b.settings))
    present = b.peers[b.root]
    return f"pid {present.pid} on {present.host}"


def take_over(b: Broker, session: bytes) -> None:
    """This root is the one that counts."""
    if b.root != session:
        if b.root in b.peers:
            b.send(b.root, wire.Stop("another root has taken over"))
            del b.peers[b.root]
        if b.root:
            b.gone.add(b.root)
        b.orphan_family(ROOT_ID)
        if b.book.family(ROOT_ID).session != session:  # else only the broker has been started again
            departures.end(b.book.family(ROOT_ID))
    b.root = session
    b.book.family(ROOT_ID).host = session


def _take_holdings(b: Broker, peer: Peer, holding: Sequence[wire.SpanRef]) -> None:
    """Make the leases what the worker says it holds."""
    before = list(peer.held())
    for name, start, stop in before:
        batch = b.book.batches.get(name)
        if batch is not None:
            peer.release(batch, start, stop)
    unwanted: list[wire.SpanRef] = []
    for name, start, stop in holding:
        batch = b.book.batches.get(name)
        if batch is None:
            if b.grace_until:
                message = wire.Hello(
                    1, peer.session, "worker", "", 0, b"", [], [(name, start, stop)]
                )
                b.orphans.setdefault(name, []).append((peer.session, message, b"", ()))
            continue
        for a, z, state in list(batch.runs(start, min(stop, batch.count))):
            if state not in (HELD, QUEUED, LEASED):
                unwanted.append((name, a, z))
                continue
            at = a
            for low, high in [*_held_by_nobody(b, batch, a, z), (z, z)]:
                if low > at:
                    unwanted.append((name, at, low))
                if low < high:
                    if state != LEASED:
                        batch.move(low, high, LEASED)
                    b.dispatcher.lease(peer, batch, low, high)
                at = high
    for name, start, stop in before:  # sent to it, but lost on the way
        batch = b.book.batches.get(name)
        if batch is None:
            continue
        for a, z in _held_by_nobody(b, batch, start, stop):
            b.resubmitted += b.requeue(batch, a, z, first=True)
            for index in [i for i in batch.families if a <= i < z]:
                b.orphan_family(task_id(name, index))
    if unwanted:
        b.drop(peer, unwanted)


def _held_by_nobody(b: Broker, batch: Batch, start: int, stop: int) -> list[wire.Range]:
    """Return the stretches of these tasks that no worker has a lease on."""
    held = sorted(
        (low, high)
        for session in batch.holders.of(start, stop)
        for low, high, _ in b.peers[session].leases[batch.id]
        if low < stop and high > start
    )
    free = []
    for low, high in held:
        if low > start:
            free.append((start, low))
        start = max(start, high)
    if start < stop:
        free.append((start, stop))
    return free


def _take_hosting(b: Broker, peer: Peer, hosting: wire.Hosting) -> None:
    """A parent runs in this session; it waits for these children."""
    parent = hosting.parent
    if parent != ROOT_ID:
        found = b.book.task(parent)
        if found is None or not peer.holds(*found):
            return
    elif peer.session != b.root:
        return
    family = _host_family(b, peer, parent)
    at = 0
    for skip, go_on in [*hosting.skipped, (hosting.next, hosting.next)]:
        for segment in family.overlapping(at, skip):
            family.claim(segment.batch, segment.index, segment.index + segment.count)
        at = go_on
    for start, stop in hosting.ranges:
        for segment in family.overlapping(start, stop):
            b.serve(segment.batch, segment.index, segment.index + segment.count)


# ---- functions, batches, constants ---------------------------------------------------------


def on_define(
    b: Broker, peer: Peer, m: wire.Define, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A function: the first one of its digest is recorded, whoever sends it."""
    if m.digest not in b.book.functions:
        b.book.apply_function(b.append(Kind.FUNCTION, header, frames[0]), m)


def on_submit(
    b: Broker, peer: Peer, m: wire.Submit, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A batch: recorded, matched with what is recorded already, queued."""
    if m.claimed and peer.role != "worker":
        raise ProtocolError("only a worker runs tasks")
    if m.batch[:SESSION_BYTES] != peer.session:
        raise ProtocolError("a batch bears the name of another session")
    if m.batch in b.book.batches:
        _serve_again(b, peer, m, header, frames)
        return
    known = all(function in b.book.functions for function in m.functions)
    if not known and (peer.role != "worker" or m.parent == ROOT_ID):
        raise ProtocolError("a batch names a function that was not sent before it")
    if not _may_submit(b, peer, m, header, frames):
        return
    if not known:  # sent before the run was resumed, and forgotten: begun again, it is sent again
        found = b.book.task(m.parent)
        assert found is not None  # it runs here
        b.dispatcher.take_back(peer, *found)
        return
    kept = b.book.kept.get(m.parent)
    if kept is not None and kept.makes_needless(m):
        _serve_again(b, peer, m, header, frames)  # said again after the state: it waits for some
        return
    family = _host_family(b, peer, m.parent)
    batch = replay.record(b, family, m, header, frames)
    if batch is None:
        return
    for start, stop in m.claimed:
        for a, z, state in list(batch.runs(start, stop)):
            if state == HELD:
                batch.move(a, z, LEASED)
                b.dispatcher.not_idle(peer)  # until it says so again
                b.dispatcher.lease(peer, batch, a, z)
    from_agent.lease_to_the_busy(b, batch)
    b.want(batch, 0, batch.count)
    for session, message, head, rest in b.orphans.pop(m.batch, ()):
        _adopt(b, session, message, head, rest)


def _host_family(b: Broker, peer: Peer, parent: bytes) -> Family:
    """The parent runs in this session now; return its family."""
    family = b.book.family(parent)
    if family.host != peer.session:
        family.unclaim()
        family.host = peer.session
    return family


def _serve_again(
    b: Broker, peer: Peer, m: wire.Submit, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A batch that is recorded, from a session that was not told: it may have missed results."""
    if _may_submit(b, peer, m, header, frames):
        family = _host_family(b, peer, m.parent)
        for segment in family.overlapping(m.first, m.first + m.count):
            stop = segment.index + segment.count
            family.claim(segment.batch, segment.index, stop)
            b.serve(segment.batch, segment.index, stop, again=True)


def runs_here(
    b: Broker, peer: Peer, parent: bytes, m: Any, header: bytes, frames: Sequence[Buffer]
) -> bool:
    """Does the parent run in this session?  If nobody can tell yet, the message is kept."""
    if parent == ROOT_ID:
        return peer.session == b.root
    found = b.book.task(parent)
    if found is None:
        if b.grace_until:
            b.await_batch(parent[:16], peer, m, header, frames)
        else:
            _drop_parent(b, peer, parent)
        return False
    if peer.gives_up(*split_task_id(parent)):
        return False  # it may hold the task again: this is of the attempt before
    if not peer.holds(*found):
        _drop_parent(b, peer, parent)
        return False
    return True


def _may_submit(
    b: Broker, peer: Peer, m: wire.Submit, header: bytes, frames: Sequence[Buffer]
) -> bool:
    """Does the parent run in this session?"""
    if runs_here(b, peer, m.parent, m, header, frames):
        return True
    if m.claimed and m.n in peer.unsettled:
        b.dispatcher.not_idle(peer)
    return False


def _adopt(
    b: Broker, session: bytes, message: Any, header: bytes, frames: Sequence[Buffer]
) -> None:
    """Deal with a message that had come before the batch it is about."""
    peer = b.peers.get(session)
    if peer is None:
        return
    if type(message) is wire.Hello:
        if not peer.suspended:  # else others are to run it
            _take_more_holdings(b, peer, message.holding)
        return
    peer.unsettled.discard(getattr(message, "n", 0))
    if type(message) is wire.Gone:
        from_agent.record_end(b, None, peer, message, crashed=True)
        return
    idle = peer.idle  # what it has said since counts, not what this would have made of it
    try:
        b.on_message(session, message, header, frames, b.now)
    except ProtocolError:  # that one is at fault, not the batch that is taken in just now
        b.late += 1
    if idle:
        b.dispatcher.now_idle(peer)


def _take_more_holdings(b: Broker, peer: Peer, holding: Sequence[wire.SpanRef]) -> None:
    for name, start, stop in holding:
        batch = b.book.batches[name]
        for a, z, state in list(batch.runs(start, min(stop, batch.count))):
            if state in (HELD, QUEUED):
                batch.move(a, z, LEASED)
                b.dispatcher.lease(peer, batch, a, z)


def drop_orphans(b: Broker) -> None:
    """The time for reunions is over: what still has no batch is dropped and counted."""
    orphans, b.orphans = b.orphans, {}
    for messages in orphans.values():
        for session, message, _, _ in messages:
            peer = b.peers.get(session)
            if peer is None or type(message) is wire.Hello:
                continue
            peer.unsettled.discard(getattr(message, "n", 0))
            if type(message) is wire.Gone:
                from_agent.record_end(b, None, peer, message, crashed=False)
            else:
                b.late += 1
                if type(message) is not wire.Results:  # of a parent that nobody knows
                    _drop_parent(b, peer, message.parent)


def _drop_parent(b: Broker, peer: Peer, parent: bytes) -> None:
    """This parent is not wanted from this session: what it waits for would never come."""
    name, index = split_task_id(parent)
    b.drop(peer, [(name, index, index + 1)])


def on_set_const(
    b: Broker, peer: Peer, m: wire.SetConst, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A constant: recorded, and told to everybody.

    The first value counts, whoever else may have set one at the same time; but the root, when it is
    run again, may know better.
    """
    known = b.book.consts.get(m.key)
    if known is not None and _same_record(b, known[0], frames):
        return
    if known is not None and peer.role != "root":
        _send_const(b, peer.session, m.key, *known)
        return
    seq = b.append(Kind.CONST, header, frames[0], frames[1:])
    b.book.apply_const(seq, m)
    for other in b.peers.values():
        if other.connected and other.role in ("root", "worker") and other is not peer:
            _send_const(b, other.session, m.key, seq, 1 + len(m.buffers))


def _same_record(b: Broker, seq: int, frames: Sequence[Buffer]) -> bool:
    with b.journal.reading() as view:
        record = view.record(seq)
        return [bytes(record.payload), *map(bytes, record.buffers)] == [*map(bytes, frames)]


def _send_const(b: Broker, session: bytes, key: str, seq: int, size: int) -> None:
    with b.journal.reading() as view:
        sizes = [len(buffer) for buffer in view.record(seq).buffers]
    frames = [Ref(seq), *(Ref(seq, buffer=k) for k in range(size - 1))]
    b.send(session, wire.Const(key, sizes), frames)


# ---- cancelling and asking -----------------------------------------------------------------


@dataclass
class CancelRequest:
    """A `Cancel` that waits for workers' answers."""

    session: bytes
    request: int
    done: list[tuple[int, int]]
    deadline: float
    asked: dict[tuple[bytes, int], int] = field(default_factory=dict)  # task -> ordinal
    waits_for: set[bytes] = field(default_factory=set)  # sessions that have not answered


CANCEL_S = 1.0  # a worker that does not answer is busy: its task runs


def on_cancel(b: Broker, peer: Peer, m: wire.Cancel, header: bytes, f: Sequence[Buffer]) -> None:
    """A parent gives children up: those that have not started will not run."""
    family = b.book.families.get(m.parent)
    done: list[tuple[int, int]] = []
    request = CancelRequest(peer.session, m.request, done, b.now + CANCEL_S)
    asked: dict[bytes, list[wire.SpanRef]] = {}
    if family is not None and family.host == peer.session:
        for start, stop in m.ranges:
            for segment in family.overlapping(start, stop):
                _cancel_segment(b, segment, request, asked, subtree=m.subtree)
    if not asked:
        b.send(peer.session, wire.Cancelled(m.request, done))
        return
    b.requests += 1
    b.cancels[b.requests] = request
    for session, spans in asked.items():
        request.waits_for.add(session)
        b.send(session, wire.Drop(b.requests, spans))


def _cancel_segment(
    b: Broker, segment: Any, request: CancelRequest, asked: dict[bytes, list[wire.SpanRef]],
    *, subtree: bool,
) -> None:  # fmt: skip
    batch, shift = segment.batch, segment.first - segment.index
    for a, z, state in list(batch.runs(segment.index, segment.index + segment.count)):
        if state in (QUEUED, HELD, CANCELLED):
            if state != CANCELLED:  # else the answer was lost with its connection
                batch.move(a, z, CANCELLED)
            request.done.append((a + shift, z + shift))
        elif state == LEASED and subtree:
            b.dispatcher.abandon(batch, a, z)
            batch.move(a, z, CANCELLED)
            request.done.append((a + shift, z + shift))
        elif state == LEASED:
            for index in range(a, z):
                for session in batch.holders.of(index, index + 1):
                    asked.setdefault(session, []).append((batch.id, index, index + 1))
                    request.asked[batch.id, index] = index + shift


def finish_cancel(b: Broker, number: int) -> None:
    """Answer a `Cancel`: what was not handed back runs."""
    request = b.cancels.pop(number)
    request.done.sort()
    b.send(request.session, wire.Cancelled(request.request, request.done))


def on_query(b: Broker, peer: Peer, m: wire.Query, header: bytes, f: Sequence[Buffer]) -> None:
    """Is this child with a worker?"""
    family = b.book.families.get(m.parent)
    found = family.find(m.ordinal) if family is not None else None
    running = found is not None and found[0].state[found[1]] == LEASED
    b.send(peer.session, wire.Answer(m.request, running))


def on_credit(b: Broker, peer: Peer, m: wire.Credit, header: bytes, f: Sequence[Buffer]) -> None:
    """A session has room for more results."""
    if m.bytes > peer.credit > 0:
        peer.credit = m.bytes
        b.delivery.go_on(peer)


def on_end(b: Broker, peer: Peer, m: wire.End, header: bytes, frames: Sequence[Buffer]) -> None:
    """The script has ended."""
    if peer.session != b.root:
        raise ProtocolError("only the root ends the run")
    if not m.exit_code and departed.at_the_end(b):
        return
    b.book.apply_end(b.append(Kind.END, header), m)
    b.hurry = True
