"""What the broker does when a parent gives children up, or asks how it is with one.

A child that runs is not cancelled: its worker is asked first.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..wire import messages as wire
from ..wire.frames import Buffer
from .peers import Peer
from .tasks import CANCELLED, HELD, LEASED, QUEUED

if TYPE_CHECKING:
    from .core import Broker


CANCEL_S = 1.0  # a worker that does not answer is busy: its task runs


@dataclass
class CancelRequest:
    """A `Cancel` that waits for workers' answers."""

    session: bytes
    request: int
    done: list[tuple[int, int]]
    deadline: float
    asked: dict[tuple[bytes, int], int] = field(default_factory=dict)  # task -> ordinal
    waits_for: set[bytes] = field(default_factory=set)  # sessions that have not answered


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
