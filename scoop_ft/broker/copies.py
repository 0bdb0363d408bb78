"""Second copies: near the end, what keeps everybody waiting on a slow worker runs elsewhere too.

A copy is no lease.  The task stays with the worker that has it, and the first result counts, as it
always does, whoever sends it; the other worker is told to drop it.  If the task's own worker loses
it before, the copy is the task from then on.  A task is copied once, and only where that is as safe
as running it again after a death: no parent, nothing kept or asked for, no worker killed.

Decides; sends through the broker.  No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from ..wire.messages import SpanRef
from .peers import Peer
from .tasks import CANCELLED, LEASED, QUEUED, Batch

if TYPE_CHECKING:
    from .core import Broker

LEAST_S: Final = 0.1  # what has run for less than this is not worth a copy
GAIN: Final = 2.0  # a copy must be expected to need less than half of what is left
TRUST: Final = 4  # times longer than usual may run what a worker has that is as fast as others
LOOK_S: Final = 0.02  # between two looks at who is late
LOOKS: Final = 256  # workers in one
LOOKED_AT: Final = 64  # who has more tasks than this in hand is no case for a copy
MOST: Final = 1_024  # tasks that are known to have had a copy

Task = tuple[bytes, int]  # batch, index


class Copies:
    """The copies under way.

    Attributes
    ----------
    begun : int
        How many there have been.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._where: dict[Task, Peer] = {}  # who runs its copy
        self._had: set[Task] = set()
        self._bare: dict[bytes, Peer] = {}  # who had nothing to give back when last asked
        self._look_at = 0.0
        self.begun = 0

    # ---- the life of a copy ----------------------------------------------------------------

    def forget(self, peer: Peer, spans: Iterable[SpanRef]) -> None:
        """This worker runs these tasks no longer, as far as they are copies."""
        for name, start, stop in spans if self._where else ():
            for task, where in list(self._where.items()):
                if where is peer and task[0] == name and start <= task[1] < stop:
                    del self._where[task]

    def is_copy(self, peer: Peer, batch: bytes, index: int) -> bool:
        """Does this worker run a copy of this task, which another one has?"""
        return self._where.get((batch, index)) is peer

    def look(self) -> None:
        """See what has become of the tasks, and of those who run their copies."""
        for (name, index), peer in list(self._where.items()):
            batch = self._broker.book.batches.get(name)
            known = self._broker.peers.get(peer.session) is peer
            usable = known and peer.connected and not peer.suspended
            if usable and batch is not None and not _has_more(batch, index):
                if batch.state[index] == LEASED:
                    continue
                if batch.state[index] == QUEUED:
                    self._stand_in(batch, index, peer)
                    continue
            del self._where[name, index]
            if known:
                unwanted = batch is not None and batch.state[index] == CANCELLED
                self._broker.drop(peer, [(name, index, index + 1)], cancelled=unwanted)

    def _stand_in(self, batch: Batch, index: int, peer: Peer) -> None:
        """The task's own worker has lost it: its copy is the task now."""
        del self._where[batch.id, index]
        batch.move(index, index + 1, LEASED)
        peer.isolated = index in batch.attempts
        self._broker.dispatcher.lease(peer, batch, index, index + 1)

    # ---- which, and where ------------------------------------------------------------------

    def is_bare(self, peer: Peer) -> None:
        """Asked for what it has not begun, this worker had nothing."""
        self._bare[peer.session] = peer

    def begin(self) -> None:
        """Nothing is queued and somebody has nothing to do: copy what will take long yet."""
        if self._broker.now < self._look_at or not self._bare:
            return
        self._look_at = self._broker.now + LOOK_S
        late = [found for peer in self._some_bare() if (found := self._late(peer))]
        late.sort(key=lambda found: -found[0])
        idle = sorted(self._broker.dispatcher.idle(), key=lambda p: p.pace) if late else []
        for worker, (left, batch, index) in zip(idle, late, strict=False):
            usual = self._broker.costs.usual(batch.function_of(index))
            if usual * worker.pace * GAIN < left:
                self._begin(worker, batch, index)

    def _some_bare(self) -> list[Peer]:
        """Return so many of them as one look may cost, others the next time."""
        some = list(islice(self._bare.values(), LOOKS))
        for peer in some:
            self._bare[peer.session] = self._bare.pop(peer.session)
        return some

    def _begin(self, worker: Peer, batch: Batch, index: int) -> None:
        if len(self._had) >= MOST:
            self._had = {task for task in self._had if self._may_run(*task)}
        self._had.add((batch.id, index))
        self._where[batch.id, index] = worker
        self.begun += 1
        self._broker.dispatcher.send(worker, batch, index, index + 1)

    def _may_run(self, name: bytes, index: int) -> bool:
        """Has this task not ended?  Else it need not be known any more."""
        batch = self._broker.book.batches.get(name)
        return batch is not None and batch.state[index] in (LEASED, QUEUED)

    def _late(self, peer: Peer) -> tuple[float, Batch, int] | None:
        """Return what a worker runs, with the seconds that this may take yet, if it is late."""
        b = self._broker
        if b.peers.get(peer.session) is not peer or not peer.recall_wait or not peer.load:
            del self._bare[peer.session]
            return None
        found = self._runs(peer)
        if found is None or not self._may_be_copied(*found):
            return None
        batch, index = found
        function = batch.function_of(index)
        usual, ran = b.costs.usual(function), b.now - peer.began_at
        if not usual or ran < LEAST_S:
            return None
        left = usual * peer.drag - ran
        if left <= 0 and ran > b.costs.long(function) * (TRUST if peer.is_fast else 1):
            left = ran  # what has taken long may well take as long again
        return (left, batch, index) if left > 0 else None

    def _may_be_copied(self, batch: Batch, index: int) -> bool:
        known = (batch.id, index) in self._had or index in batch.attempts
        return not (known or _has_more(batch, index) or batch.special)

    def _runs(self, peer: Peer) -> tuple[Batch, int] | None:
        """Return the one task of a worker that waits for nothing."""
        found = None
        if peer.load > LOOKED_AT:
            return None
        for name, start, stop in peer.held():
            batch = self._broker.book.batches[name]
            for index in range(start, stop):
                if index in batch.families:
                    continue  # it waits for its children, some of which may run here
                if found is not None:
                    return None
                found = batch, index
        return found


def _has_more(batch: Batch, index: int) -> bool:
    """Is the task a parent, or has it kept something?"""
    return index in batch.families or index in batch.kept
