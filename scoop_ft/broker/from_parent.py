"""What the broker does on messages from sessions that host parents: root and workers.

Functions, batches, room for results, the end of the script.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ProtocolError
from ..ids import BATCH_ID_BYTES, ROOT_ID, SESSION_BYTES, TASK_ID_BYTES, short, split_task_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from . import departed, from_agent, replay
from .families import Family
from .peers import Peer
from .records import Edit, Kind, encode
from .tasks import HELD, LEASED, QUEUED

if TYPE_CHECKING:
    from .core import Broker


def on_define(
    b: Broker, peer: Peer, m: wire.Define, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A function: the first one of its digest is recorded, whoever sends it."""
    if peer.role == "worker" and len(frames[0]) > wire.SMALL_BYTES:
        b.announced.add((peer.session, m.digest))
    elif peer.role == "worker":
        b.relied.add(m.digest)
    if m.digest not in b.book.functions:
        seq = b.append(Kind.FUNCTION, header, frames[0])
        b.book.apply_function(seq, m, len(frames[0]))
    elif peer.role == "root" and b.settings.get("script") == "" and _was_edited(b, m):
        # Nobody was asked when this program joined the run: nothing stale is served to it.
        edit = Edit(m.digest, m.code, m.python, True, m.sources)
        b.append(Kind.EDIT, encode(edit))
        b.book.apply_edit(edit)


def forget(b: Broker) -> None:
    """The root has saved its state: a function that no task calls it sends again before its next.

    Workers do so only with what is not small, and for each of their parents: what a parent calls is
    known while that parent runs.  The small ones stay until the run is resumed.
    """
    b.announced = {each for each in b.announced if each[0] in b.peers}
    announced = {digest for _, digest in b.announced}
    gone = b.book.forget_uncalled(b.relied | announced if announced else b.relied)
    if not gone:
        return
    b.costs.forget(gone)
    for peer in b.peers.values():
        known = [digest for digest in gone if digest in peer.functions]
        if known:
            peer.functions.difference_update(known)
            b.send(peer.session, wire.Forget(known))


def _was_edited(b: Broker, m: wire.Define) -> bool:
    """Does a recorded function mean something else now, as far as that can be compared?"""
    known = b.book.codes.get(m.digest)
    if known is None or not (known.digest and m.code) or known.python != m.python:
        return False
    return bool(known.digest != m.code)


def on_submit(
    b: Broker, peer: Peer, m: wire.Submit, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A batch: recorded, matched with what is recorded already, queued."""
    if m.claimed and peer.role != "worker":
        raise ProtocolError("only a worker runs tasks")
    if m.batch[:SESSION_BYTES] != peer.session:
        raise ProtocolError("a batch bears the name of another session")
    if b.announced:
        b.announced.difference_update((peer.session, function) for function in m.functions)
    if m.batch in b.book.batches:
        _serve_again(b, peer, m, header, frames)
        return
    kept = b.book.kept.get(m.parent)
    needless = kept is not None and kept.makes_needless(m)
    known = needless or all(function in b.book.functions for function in m.functions)
    if not known and (peer.role != "worker" or m.parent == ROOT_ID):
        raise ProtocolError("a batch names a function that was not sent before it")
    if not _may_submit(b, peer, m, header, frames):
        return
    if not known:  # sent before the run was resumed, and forgotten: begun again, it is sent again
        found = b.book.task(m.parent)
        assert found is not None  # it runs here
        b.dispatcher.take_back(peer, *found, "a function it calls was known before a resume only")
        return
    if needless:
        _serve_again(b, peer, m, header, frames)  # said again after the state: it waits for some
        return
    if _was_overtaken(b, peer, m):
        replace_run(b, peer, m.parent)
        return
    family = host_family(b, peer, m.parent)
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


def refuse(b: Broker, peer: Peer, message: Any, why: str) -> None:
    """What a session has said was dropped: the task that it was said for fails, else the session.

    So a fault of ours is an error where it was met, and neither a wait without end nor an end of
    the others that wait in the same worker.
    """
    parent = getattr(message, "parent", b"")
    found = b.book.task(parent) if len(parent) == TASK_ID_BYTES else None
    if found is None or not peer.holds(*found):
        text = f"the broker was sent what makes no sense ({why}): please report this"
        b.send(peer.session, wire.Refused(text))
        return
    batch, index = found
    b.dispatcher.take_away(peer, batch, index, index + 1)
    info = {
        "task": f"{short(batch.id)}:{index}",
        "function": b.book.function_of(batch, index),
        "host": peer.host,
        "refused": why,
    }
    b.fail(batch, index, info)
    b.dealt_with(peer, getattr(message, "n", 0))


def host_family(b: Broker, peer: Peer, parent: bytes) -> Family:
    """The parent runs in this session now; return its family."""
    family = b.book.family(parent)
    if family.host != peer.session:
        family.unclaim()
        family.host = peer.session
    return family


def _was_overtaken(b: Broker, peer: Peer, m: wire.Submit) -> bool:
    """Is a batch said again, and was another run recorded after what this one said behind it?"""
    family = b.book.family(m.parent)
    return family.is_outdated(peer.session) and any(
        name > m.batch and name[:SESSION_BYTES] == peer.session for name in family.batches
    )


def _serve_again(
    b: Broker, peer: Peer, m: wire.Submit, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A batch that is recorded, from a session that was not told: it may have missed results."""
    if _may_submit(b, peer, m, header, frames):
        if b.book.family(m.parent).is_outdated(peer.session):
            replace_run(b, peer, m.parent)
            return
        family = host_family(b, peer, m.parent)
        for segment in family.overlapping(m.first, m.first + m.count):
            stop = segment.index + segment.count
            family.claim(segment.batch, segment.index, stop)
            b.serve(segment.batch, segment.index, stop, again=True)


def replace_run(b: Broker, peer: Peer, parent: bytes) -> None:
    """Another run of the parent has come between: what lies at the ordinals that this one has
    submitted is not what it takes it for, or has left.
    """
    if parent == ROOT_ID:
        b.send(peer.session, wire.Stop("another root has taken over"))
        b.gone.add(peer.session)
        del b.peers[peer.session]
        return
    found = b.book.task(parent)
    assert found is not None  # it runs here
    b.dispatcher.take_back(
        peer, *found, "it was begun elsewhere, too, and has made other calls there"
    )


def runs_here(
    b: Broker, peer: Peer, parent: bytes, m: Any, header: bytes, frames: Sequence[Buffer]
) -> bool:
    """Does the parent run in this session?  If nobody can tell yet, the message is kept."""
    if parent == ROOT_ID:
        return peer.session == b.root
    found = b.book.task(parent)
    if found is None:
        if b.grace_until:
            b.await_batch(parent[:BATCH_ID_BYTES], peer, m, header, frames)
        else:
            _turn_down(b, peer, m)
        return False
    if peer.gives_up(*split_task_id(parent)):
        return False  # it may hold the task again: this is of the attempt before
    if not peer.holds(*found):
        _turn_down(b, peer, m)
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
                    _turn_down(b, peer, message)


def _turn_down(b: Broker, peer: Peer, message: Any) -> None:
    """This parent is not wanted from this session: what it waits for would never come."""
    if type(message) is wire.Submit:
        b.unrecorded.turn_down(message.batch)
    name, index = split_task_id(message.parent)
    b.drop(peer, [(name, index, index + 1)])


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
