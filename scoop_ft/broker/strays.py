"""What workers hold of batches that nobody has recorded: it is taken from them when nobody can say
such a batch again.

Its script died together with a broker that had not written it down.  Such a task keeps its worker,
for ever where it hangs, and nobody waits for it.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..ids import SESSION_BYTES
from ..wire.messages import SpanRef
from .peers import Peer

if TYPE_CHECKING:
    from .core import Broker


class Strays:
    """The spans that workers have said they hold, until their batch comes or cannot come."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: dict[bytes, list[SpanRef]] = {}  # by worker

    def note(self, peer: Peer, spans: Sequence[SpanRef]) -> None:
        """A worker holds these, of batches that are not recorded, and no others."""
        self._held.pop(peer.session, None)
        if spans:
            self._held[peer.session] = list(spans)

    def let_go(self) -> None:
        """Have those given up that nobody will ever ask for."""
        broker = self._broker
        for session, spans in list(self._held.items()):
            peer = broker.peers.get(session)
            if peer is None:
                del self._held[session]
                continue
            waiting = [span for span in spans if span[0] not in broker.book.batches]
            lost = [span for span in waiting if self._cannot_come(span[0])]
            self.note(peer, [span for span in waiting if span not in lost])
            if lost:
                broker.drop(peer, lost, cancelled=True)

    def _cannot_come(self, batch: bytes) -> bool:
        """Is who submitted it neither the root nor a worker that is there?"""
        submitter = batch[:SESSION_BYTES]
        root = self._broker.root  # while there is none, it may be the one to come
        return bool(root) and submitter != root and submitter not in self._broker.peers
