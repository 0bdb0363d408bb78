"""What the broker does on messages about checkpoints and durable steps.

Only the session in which a parent runs may keep something for it.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..ids import ROOT_ID
from ..wire import messages as wire
from ..wire.frames import Buffer
from . import from_parent
from .from_parent import runs_here
from .kept import Kept, Saved
from .peers import Peer
from .records import NO_BATCH, Bind, Kind, encode
from .values import is_recorded, whole

if TYPE_CHECKING:
    from .core import Broker


def on_checkpoint(
    b: Broker, peer: Peer, m: wire.Checkpoint, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A parent's state: recorded in place of the one before, and what it outdates is dropped."""
    if not runs_here(b, peer, m.parent, m, header, frames):
        return
    kept = b.book.kept.get(m.parent)
    if kept is not None and kept.is_past(peer.session, m):
        return  # in place of the last one it would bring back what that one stands for
    if _progress(b, m, frames):
        b.book.forgive(m.parent)
    before = 0 if kept is None or kept.checkpoint is None else kept.checkpoint.next
    _carry_lost(b, peer.session, m, before)
    b.book.apply_checkpoint(b.append(Kind.CHECKPOINT, header, frames[0], frames[1:]), m)
    b.take_back_dropped()
    if m.parent == ROOT_ID:
        from_parent.forget(b)
    b.hurry = b.hurry or m.waits


def _carry_lost(b: Broker, session: bytes, m: wire.Checkpoint, before: int) -> None:
    """What has lost its ordinal may be submitted yet: it gets one that the state does not cover.

    So it is when calls that had ended as the state before was saved are submitted anew, since their
    results were not in it: those that follow move up.  One that had to be carried before, and was
    not asked for since, goes with the rest.
    """
    family = b.book.family(m.parent)
    slots = []
    at = max(m.next, family.stop)
    for batch in family.batches.values():
        for start, stop in batch.without_place(before, m.next):
            slots.append((at, stop - start, batch.id, start))
            at += stop - start
    if slots:
        message = Bind(m.parent, NO_BATCH, [], slots, session)
        b.book.apply_bind(b.append(Kind.BIND, encode(message)), message)


def _progress(b: Broker, m: wire.Checkpoint, frames: Sequence[Buffer]) -> bool:
    """Has the task got further since it last killed a worker?  Then those deaths count no more.

    A task that saves what it was started from, and dies again, has not.
    """
    if m.parent == ROOT_ID or not b.book.attempts(m.parent):
        return False
    kept = b.book.kept.get(m.parent)
    if kept is None or kept.checkpoint is None:
        return True
    return not is_recorded(b.journal, kept.checkpoint.seq, frames)


def on_step(b: Broker, peer: Peer, m: wire.Step, header: bytes, frames: Sequence[Buffer]) -> None:
    """The value of a durable step: recorded, unless it is only said again."""
    if not runs_here(b, peer, m.parent, m, header, frames):
        return
    kept = b.book.kept.get(m.parent)
    if kept is not None and m.step in kept.steps:
        _said_again(b, peer, m, kept.steps[m.step], frames)
        return  # the first one counts
    b.book.apply_step(b.append(Kind.STEP, header, frames[0], frames[1:]), m)
    b.hurry = True  # its caller does nothing until it is synced


def _said_again(
    b: Broker, peer: Peer, m: wire.Step, saved: Saved, frames: Sequence[Buffer]
) -> None:
    """Another value than the recorded one is of an attempt that made its own while it was cut off.

    The one that was given to others counts: the attempt does not go on with its own.
    """
    found = b.book.task(m.parent) if m.parent != ROOT_ID else None
    if found is None or (saved.call == m.call and is_recorded(b.journal, saved.seq, frames)):
        return
    b.dispatcher.take_back(peer, *found, "a step of it was made elsewhere, with another value")


def on_fetch(b: Broker, peer: Peer, m: wire.Fetch, header: bytes, frames: Sequence[Buffer]) -> None:
    """A parent that runs asks for what it, or an earlier run of it, has kept."""
    if not runs_here(b, peer, m.parent, m, header, frames):
        return
    kept = b.book.kept.get(m.parent) or Kept()
    number = m.step if m.step < 0 else kept.find_step(m)
    saved = None
    if number is not None:
        saved = kept.checkpoint if number < 0 else kept.steps[number]
    if saved is not None and not b.is_synced(saved.seq):
        # Who has said it may be dead, and nobody would say it again: it is told when it is sure.
        b.fetches.append((peer.session, m))
        b.hurry = True
        return
    if number is None:
        b.other_steps += m.step in kept.steps
        number = kept.free_number(m)
    elif number >= 0:
        b.reused += 1
    _send(b, peer, m, saved, number)


def on_synced(b: Broker) -> None:
    """What was asked for and not synced is: tell those who are there still."""
    fetches, b.fetches = b.fetches, []
    for session, m in fetches:
        peer = b.peers.get(session)
        if peer is not None and peer.connected:
            on_fetch(b, peer, m, b"", ())


def _send(b: Broker, peer: Peer, m: wire.Fetch, saved: Saved | None, number: int) -> None:
    if saved is None:
        b.send(peer.session, wire.Fetched(m.request, False, number, 0, 0, []))
        return
    sizes, frames = whole(b.journal, saved.seq)
    message = wire.Fetched(m.request, True, number, saved.next, saved.next_step, sizes)
    b.send(peer.session, message, frames)
