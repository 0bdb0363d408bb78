"""What the broker does because time has passed.

All times are of the monotonic clock that the driver passes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..wire.messages import Unknown
from .cancelling import finish_cancel
from .from_parent import drop_orphans
from .peers import Peer

if TYPE_CHECKING:
    from .core import Broker

TICK_S: Final = 0.02  # the driver calls on_tick about this often while something may be due
GRACE_S: Final = 2.0  # after a restart, workers of before have this long to come back
REUNION_S: Final = 0.1  # when all are back: for what they say again
LOST_S: Final = 5.0  # a worker that cannot be reached keeps its work this long
SILENT_AGENT_S: Final = 5.0  # an agent that says nothing this long: its host is gone or asleep
SILENT_OBSERVER_S: Final = 5.0  # an observer asks again and again, or has gone
UNANSWERED_S: Final = 2.0  # a worker that does not answer a recall is busy without a pause
JUMP_S: Final = 2.0  # the broker itself was asleep: nobody is late


def on_tick(b: Broker, now: float) -> None:
    """Look at everything that may be due."""
    pass_to(b, now)
    if b.grace_until:
        if not b.expected and b.root and b.agents_heard:
            b.grace_until = min(b.grace_until, now + REUNION_S)
        if now >= b.grace_until:
            _end_grace(b)
    else:
        b.unrecorded.let_go()
    for peer in _to_be_looked_at(b):
        if peer.role == "worker":
            _look_at_worker(b, peer, now)
        elif peer.role == "observer" and now - peer.heard_at > SILENT_OBSERVER_S:
            del b.peers[peer.session]
            b.send(peer.session, Unknown())  # its connection is forgotten when that fails
        elif peer.role == "agent":
            _look_at_agent(b, peer, now)
    for number, request in list(b.cancels.items()):
        if now >= request.deadline:
            finish_cancel(b, number)


def _to_be_looked_at(b: Broker) -> list[Peer]:
    """Return those of whom something may be due, in the order in which they came.

    All others are connected, answered for and not asked for anything.
    """
    peers = b.peers
    found = [*peers.agents.values(), *peers.observers.values(), *peers.away.values()]
    found += peers.unanswered_for()
    found += b.dispatcher.recalled()
    return sorted({peer.session: peer for peer in found}.values(), key=lambda peer: peer.place)


def pass_to(b: Broker, now: float) -> None:
    """It is now so late: whatever comes in says so first."""
    slept = now - b.now
    b.now = now
    if slept > JUMP_S:
        _renew(b, now, slept)


def _renew(b: Broker, now: float, slept: float) -> None:
    """The clock jumped (a laptop that slept, a stopped broker): leases are renewed, not expired."""
    for peer in b.peers.values():
        peer.heard_at = now
        peer.recall_sent = now
        peer.began_at += slept  # what it runs has not run meanwhile, or nobody knows
        if not peer.connected:
            peer.lost_at = now
    for request in b.cancels.values():
        request.deadline += slept
    if b.grace_until:
        b.grace_until += slept
    b.unrecorded.renew(slept)


def _end_grace(b: Broker) -> None:
    b.grace_until = 0.0
    for session in sorted(b.expected):
        if session not in b.peers:
            b.expected.discard(session)
            b.record_member(session, b"", "", alive=False)
    drop_orphans(b)


def _look_at_worker(b: Broker, peer: Peer, now: float) -> None:
    busy_with = peer.report.task if peer.report is not None and peer.report.task else b""
    if not peer.connected and now - peer.lost_at > LOST_S:
        heard = now - peer.heard_at < SILENT_AGENT_S
        b.dispatcher.take_all(peer, but=busy_with if heard else b"")
        if not peer.load:
            del b.peers[peer.session]
            b.expected.discard(peer.session)
            b.record_member(peer.session, peer.agent, peer.host, alive=False)
    elif _nobody_answers_for(b, peer, now):
        b.dispatcher.take_all(peer)
        peer.suspended = True  # until its agent names it
    elif peer.session in b.refused:
        return  # it may have answered, and ended what it had: all that is said again
    elif peer.recall and now - peer.recall_sent > UNANSWERED_S and b.dispatcher.any_idle():
        peer.recall_sent = now
        # What nobody has told us of is a child of something it holds: with its parent it would
        # begin anew elsewhere, as deaf there, and so on for ever.
        if not busy_with or b.book.task(busy_with) is not None:
            b.dispatcher.take_all(peer, but=busy_with)


def _nobody_answers_for(b: Broker, worker: Peer, now: float) -> bool:
    """Has its agent not come back to this broker, and it has said nothing itself for long?"""
    silent = now - worker.heard_at > SILENT_AGENT_S
    return silent and not worker.suspended and bool(worker.agent) and worker.agent not in b.peers


def _look_at_agent(b: Broker, agent: Peer, now: float) -> None:
    if now - agent.heard_at <= SILENT_AGENT_S:
        return
    for peer in b.peers.of_agent(agent.session):
        if not peer.suspended:
            b.dispatcher.take_all(peer)
            peer.suspended = True
    if not agent.connected:
        del b.peers[agent.session]
