"""What workers hold of batches that nobody has recorded: given up once no such batch can come.

Script and broker died before it was written, or what it belongs to has ended while the worker was
away.  Such a task keeps its worker, for ever where it hangs, and nobody waits for it.  Decisions
only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..ids import SESSION_BYTES
from ..wire.messages import SpanRef
from .leaving import Remembered
from .peers import Peer

if TYPE_CHECKING:
    from .core import Broker

#: Who has submitted it may be away, and come back: a lost worker keeps its work as long.
PATIENCE_S: Final = 5.0


class Unrecorded:
    """The spans that workers have said they hold, until their batch comes or cannot come."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: dict[bytes, tuple[float, list[SpanRef]]] = {}  # by worker, and since when
        self._turned_down = Remembered()  # batches
        self._looked_at = 0.0

    def note(self, peer: Peer, spans: Sequence[SpanRef]) -> None:
        """A worker holds these, of batches that are not recorded, and no others."""
        self._held.pop(peer.session, None)
        if spans:
            self._held[peer.session] = self._broker.now, list(spans)

    def renew(self, slept: float) -> None:
        """The broker, or all of the machine, was asleep so long."""
        self._held = {who: (at + slept, spans) for who, (at, spans) in self._held.items()}

    def turn_down(self, batch: bytes) -> None:
        """A batch was said by a parent that runs there no more: it is not recorded."""
        self._turned_down.add(batch)

    def let_go(self) -> None:
        """Have those given up that nobody will ever ask for."""
        broker = self._broker
        if not self._held or not broker.root or broker.now - self._looked_at < PATIENCE_S / 5:
            return
        self._looked_at = broker.now
        for session, (since, spans) in list(self._held.items()):
            peer = broker.peers.get(session)
            if peer is None:
                del self._held[session]
            elif broker.now - since > PATIENCE_S:
                self._let_go(peer, spans)

    def _let_go(self, peer: Peer, spans: list[SpanRef]) -> None:
        broker = self._broker
        lost: list[SpanRef] = []
        awaited: list[SpanRef] = []
        for span in spans:
            if span[0] not in broker.book.batches:
                (lost if self._cannot_come(peer, span[0]) else awaited).append(span)
        if len(awaited) < len(spans):
            self.note(peer, awaited)
        if lost:
            broker.drop(peer, lost, cancelled=True)

    def _cannot_come(self, peer: Peer, batch: bytes) -> bool:
        broker = self._broker
        submitter = batch[:SESSION_BYTES]
        if batch in self._turned_down:
            return True
        if broker.incarnation == 1:  # nothing was lost: it was recorded, and its parent has ended
            return submitter != peer.session
        return submitter != broker.root and submitter not in broker.peers
