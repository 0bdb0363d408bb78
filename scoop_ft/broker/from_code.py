"""What the broker does on messages about the user's code: record it once, and give it to who asks.

Decisions only.  The broker never reads, compiles or runs what it keeps here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..ids import digest
from ..wire import messages as wire
from ..wire.codec import decode_environment, encode
from ..wire.frames import Buffer
from .code import LAUNCH, blob_name
from .peers import Peer
from .records import Kind

if TYPE_CHECKING:
    from .core import Broker


def on_source(
    b: Broker, peer: Peer, m: wire.Source, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A file of the user's code, as the sender runs it.

    The first version of a launch counts, except that the root knows better.  A worker that has run
    another one is told, and leaves.
    """
    if digest(frames[0]) != m.digest:
        raise ProtocolError("a source's digest is not that of its bytes")
    if m.kind == "environment":
        _on_environment(b, peer, bytes(frames[0]))
        return
    known = b.book.code.current(m.name)
    if known is not None and known.digest == m.digest:
        return
    if known is not None and peer.role != "root":
        b.send(peer.session, wire.Sources(0, [known]))
        return
    name = blob_name(m.digest)
    if not b.journal.has_blob(name):
        b.journal.put_blob(name, frames[0])
    b.book.apply_source(b.append(Kind.SOURCE, header), m)
    said = wire.Sources(0, [wire.SourceRef(m.name, m.kind, m.path, m.digest)])
    for other in b.peers.others_with_parents(peer):
        b.send(other.session, said)


def _on_environment(b: Broker, peer: Peer, data: bytes) -> None:
    if peer.role != "root":
        raise ProtocolError("only the root says what the run's versions are")
    environment = decode_environment(data)
    if b.book.code.is_news(environment):
        b.book.code.apply_environment(b.append(Kind.ENVIRONMENT, data), environment)


def on_ask_source(
    b: Broker, peer: Peer, m: wire.AskSource, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A process lacks the code of a module, or has another version of it."""
    ref = b.book.code.current(m.name)
    data = b.journal.blob(blob_name(ref.digest)) if ref is not None else None
    if ref is None or data is None:
        b.send(peer.session, wire.Sources(m.request, []))
    else:
        b.send(peer.session, wire.Sources(m.request, [ref]), [data])


def welcome(b: Broker, session: bytes) -> None:
    """A root or worker is new: it hears which code the run uses."""
    b.turned_away.pop(b.peers[session].host, None)
    sources = b.book.code.all_current()
    if sources:
        b.send(session, wire.Sources(0, sources))


def begin_launch(b: Broker, *, recorded_code: bool) -> None:
    """The run is resumed: with what it finds, or with just the code that is recorded."""
    code = b.book.code
    if code.recorded or code.environment is not None or b.book.batches:
        _record(b, LAUNCH)
    if recorded_code:
        for ref in [entry.ref for entry in code.recorded.values()]:
            _record(b, wire.Source(0, ref.name, ref.kind, ref.path, ref.digest))


def _record(b: Broker, m: wire.Source) -> None:
    b.book.apply_source(b.append(Kind.SOURCE, encode(m)), m)


def drop(b: Broker) -> None:
    """Delete the code that nothing needs any more."""
    records, digests = b.book.code.take_dropped()
    for seq, count in records:
        b.journal.delete(seq, count)
    for each in digests:
        b.journal.delete_blob(blob_name(each))
