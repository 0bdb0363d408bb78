"""Results on their way to the parents that wait for them.

A live message is passed on as it came; what is recorded is sent from the journal, whole records
where they fit and slices where they do not.  Who has no room for more is sent the rest when it has:
until then only where it lies is kept in memory.  Nothing is unpickled, and nothing decided but what
to send to whom.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..wire.codec import decode_header
from ..wire.frames import Buffer
from ..wire.messages import Deliver, Range, Results
from .families import Family
from .peers import Peer
from .ports import Ref
from .slices import Slices, position_in
from .tasks import Batch

if TYPE_CHECKING:
    from .core import Broker


Moved = tuple[Batch, int, int, int]  # indices, and what makes ordinals of them

MOST_BYTES: Final = 8 << 20  # of a record that is read as its results are put together
_NONE = Results(0, b"", [], b"", b"", [], 0, 0, False)


class Delivery:
    """Sends results to the hosts of parents."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def forward(
        self,
        batch: Batch,
        message: Results,
        frames: Sequence[Buffer],
        fresh: list[Range],
        sender: bytes,
    ) -> None:
        """Pass results on that have just come in and been recorded."""
        family = self._broker.book.families.get(batch.parent)
        if family is None or not self._reachable(family):
            return
        if message.kept and family.host == sender:
            return
        host = self._broker.peers[family.host]
        if host.unsent or not host.has_credit():
            host.unsent.extend((batch.id, start, stop) for start, stop in fresh)
            return
        if batch.intact and batch.claimed is None and fresh == message.ranges:
            deliver = Deliver(
                batch.parent, batch.id, batch.first, message.ranges, message.status, message.ends,
                0, message.buffers,
            )  # fmt: skip
            self._send(family, deliver, frames)
            return
        for start, stop in fresh:
            self.deliver(batch, start, stop)

    def deliver(self, batch: Batch, start: int, stop: int) -> None:
        """Send recorded results of tasks of a batch to their parent's host."""
        family = self._broker.book.families.get(batch.parent)
        if family is None or not self._reachable(family):
            return
        for a, b, shift in list(family.ordinals(batch, start, stop)):
            self._deliver_stretch(family, batch, a, b, shift)

    def go_on(self, host: Peer) -> None:
        """A session has room again: send what has waited for that."""
        waiting, host.unsent = host.unsent, deque()
        while waiting and host.has_credit():
            name, start, stop = waiting.popleft()
            batch = self._broker.book.batches.get(name)
            if batch is not None:  # else its parent has ended
                self.deliver(batch, start, stop)
        host.unsent.extend(waiting)

    def _reachable(self, family: Family) -> bool:
        host = self._broker.peers.get(family.host)
        return host is not None and host.connected

    def _deliver_stretch(
        self, family: Family, batch: Batch, start: int, stop: int, shift: int
    ) -> None:
        host = self._broker.peers[family.host]
        with self._broker.journal.reading() as view:
            seen, header = -1, _NONE
            for low, high, seq in _entries(batch, start, stop):
                if seq != seen:
                    seen, header = seq, decode_header(view.header(seq), Results)
                for c, d in batch.claimed_stretches(low, high):
                    if not host.has_credit():
                        host.unsent.append((batch.id, c, stop))
                        return
                    self._send_slice(family, batch, header, seq, c, d, shift)

    def deliver_moved(self, family: Family, moved: Sequence[Moved]) -> None:
        """Send recorded results of tasks that were found at other ordinals.

        Those of one record go together: each by itself would be a message for each task.
        """
        if not self._reachable(family):
            return
        together: dict[int, tuple[Batch, list[tuple[int, int, int]]]] = {}
        for batch, start, stop, shift in moved:
            for a, b, seq in _entries(batch, start, stop):
                together.setdefault(seq, (batch, []))[1].append((a, b, shift))
        with self._broker.journal.reading() as view:
            for seq, (batch, parts) in together.items():
                self._send_together(view, family, batch, seq, sorted(parts))

    def _send_together(
        self, view: Any, family: Family, batch: Batch, seq: int, parts: list[tuple[int, int, int]]
    ) -> None:
        header = decode_header(view.header(seq), Results)
        large = len(header.ends) and memoryview(header.ends).cast("I")[-1] > MOST_BYTES
        if large or header.buffers:
            for start, stop, _ in parts:
                self.deliver(batch, start, stop)
            return
        host = self._broker.peers[family.host]
        if not host.has_credit():
            host.unsent.extend((batch.id, start, stop) for start, stop, _ in parts)
            return
        slices, payload = Slices(), view.record(seq).payload
        for start, stop, _ in parts:
            slices.add(start, stop, header, payload)
        ranges = [(start, stop) for start, stop, _ in parts]
        deliver = Deliver(
            family.parent, batch.id, 0, ranges, slices.status, slices.ends, 0, [],
            [shift for _, _, shift in parts],
        )  # fmt: skip
        self._send(family, deliver, [slices.payload])

    def _send_slice(
        self,
        family: Family,
        batch: Batch,
        header: Results,
        seq: int,
        start: int,
        stop: int,
        shift: int,
    ) -> None:
        """Send the results of the indices from ``start`` to ``stop`` of one record."""
        position = position_in(header.ranges, start)
        count = stop - start
        ends = memoryview(header.ends).cast("I")
        base = ends[position - 1] if position else 0
        last = ends[position + count - 1]
        chosen = [(k, item) for k, item in enumerate(header.buffers) if start <= item[0] < stop]
        status = header.status[position : position + count]
        frames: list[Ref] = [Ref(seq, base, last)]
        frames += [Ref(seq, buffer=k) for k, _ in chosen]
        deliver = Deliver(
            family.parent,
            batch.id,
            shift,
            [(start, stop)],
            status if any(status) else b"",
            bytes(ends[position : position + count]),
            base,
            [item for _, item in chosen],
        )
        self._send(family, deliver, frames)

    def _send(self, family: Family, deliver: Deliver, frames: Sequence[Buffer | Ref]) -> None:
        host = self._broker.peers[family.host]
        host.delivered += 1
        host.sent += int.from_bytes(deliver.ends[-4:], "little") - deliver.base
        host.sent += sum(size for _, size in deliver.buffers)
        self._broker.sync_due.add(family.host)
        self._broker.send(family.host, deliver, frames)


def _entries(batch: Batch, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yield ``(start, stop, seq)``: the results of these tasks lie in that record."""
    at = max(bisect_left(batch.results, (start, 0, 0, 0)) - 1, 0)
    for number in range(at, len(batch.results)):
        a, b, seq, _ = batch.results[number]
        if a >= stop:
            return
        if max(a, start) < min(b, stop):
            yield max(a, start), min(b, stop), seq
