"""What the broker does when a session says hello: who it is, what it holds, what it waits for.

Leases become what a worker says it holds, and claims what a parent says it has submitted; a new
root takes the place of the one before.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..ids import ROOT_ID, task_id
from ..wire import messages as wire
from . import departures, from_code
from .constants import send_const
from .families import Segment
from .from_parent import host_family, replace_run
from .peers import WITH_PARENTS, Peer
from .stretches import outside
from .tasks import CANCELLED, HELD, LEASED, QUEUED, Batch

if TYPE_CHECKING:
    from .core import Broker


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
        b.send(m.session, wire.Refused(_of_another_version(m.version)))
        return
    peer = _admit(b, m)
    settings = {**b.settings, "root": _other_root(b, m)} if m.role == "root" else b.settings
    b.send(m.session, wire.Welcome(b.run, b.incarnation, settings))
    if m.role in WITH_PARENTS:
        for key, (seq, _) in b.book.consts.items():
            send_const(b, m.session, key, seq)
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


def _of_another_version(theirs: int) -> str:
    """Say what to do: it may be another machine's scoop-ft, or one that was put in our place."""
    return (
        f"the run is served by another version of scoop-ft (protocol {wire.PROTOCOL_VERSION}, not "
        f"{theirs}): install the same; if it was replaced while the run was at work, stop the run "
        "and resume it"
    )


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
    cancelled: list[wire.SpanRef] = []
    unrecorded: list[wire.SpanRef] = []
    for name, start, stop in holding:
        batch = b.book.batches.get(name)
        if batch is None:
            unrecorded.append((name, start, stop))
            if b.grace_until:
                message = wire.Hello(
                    1, peer.session, "worker", "", 0, b"", [], [(name, start, stop)]
                )
                b.orphans.setdefault(name, []).append((peer.session, message, b"", ()))
            continue
        for a, z, state in list(batch.runs(start, min(stop, batch.count))):
            if state not in (HELD, QUEUED, LEASED):
                (cancelled if state == CANCELLED else unwanted).append((name, a, z))
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
    b.unrecorded.note(peer, unrecorded)
    if cancelled:
        b.drop(peer, cancelled, cancelled=True)
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
    if not _is_run_in(b, peer, parent):
        return
    family = b.book.family(parent)
    # With the state of a later attempt may have left what this one waits for.
    left = any(family.missing(start, stop) for start, stop in hosting.ranges)
    if left or (_has_submitted(hosting) and family.is_outdated(peer.session)):
        replace_run(b, peer, parent)
        return
    family = host_family(b, peer, parent)
    at = 0
    for skip, go_on in [*hosting.skipped, (hosting.next, hosting.next)]:
        for segment in family.overlapping(at, skip):
            family.claim(segment.batch, segment.index, segment.index + segment.count)
            _give_up(b, segment, hosting.ranges)
        at = go_on
    for start, stop in hosting.ranges:
        for segment in family.overlapping(start, stop):
            b.serve(segment.batch, segment.index, segment.index + segment.count)


def _is_run_in(b: Broker, peer: Peer, parent: bytes) -> bool:
    if parent == ROOT_ID:
        return peer.session == b.root
    found = b.book.task(parent)
    return found is not None and peer.holds(*found)


def _has_submitted(hosting: wire.Hosting) -> bool:
    """Has this run of a parent submitted what was recorded?  Else all it says is still to come."""
    return hosting.next > sum(stop - start for start, stop in hosting.skipped)


def _give_up(b: Broker, segment: Segment, awaited: Sequence[wire.Range]) -> None:
    """A parent does not wait for some of its children: it has their results, or gave them up.

    What it gave up is recorded nowhere: another broker was told of that.
    """
    for start, stop in outside(awaited, segment.first, segment.first + segment.count):
        shift = segment.index - segment.first
        for a, z, state in list(segment.batch.runs(start + shift, stop + shift)):
            if state in (HELD, QUEUED, LEASED):
                if state == LEASED:
                    b.dispatcher.abandon(segment.batch, a, z)
                segment.batch.move(a, z, CANCELLED)
