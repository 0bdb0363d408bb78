"""Results cut out of their records and put together, as one message or record can hold them.

Cuts bytes and counts; decides nothing.  No I/O.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from ..wire.frames import Buffer
from ..wire.messages import Range, Results


def position_in(ranges: Sequence[Range], index: int) -> int:
    """Return how many results stand before that of ``index``."""
    before = 0
    for start, stop in ranges:
        if start <= index < stop:
            return before + index - start
        before += stop - start
    raise LookupError(f"index {index} has no result in this record")


def only(
    message: Results, frames: Sequence[Buffer], ranges: list[Range]
) -> tuple[Results, list[Buffer]]:
    """Return the same message with these of its results only, and its frames."""
    slices = Slices()
    for start, stop in ranges:
        slices.add(start, stop, message, frames[0])
    kept = [
        at
        for at, (index, _) in enumerate(message.buffers)
        if any(start <= index < stop for start, stop in ranges)
    ]
    cut = msgspec.structs.replace(
        message, ranges=ranges, status=slices.status, ends=slices.ends,
        buffers=[message.buffers[at] for at in kept],
    )  # fmt: skip
    return cut, [slices.payload, *(frames[1 + at] for at in kept)]


class Slices:
    """Stretches of results, one behind the other.

    Attributes
    ----------
    size : int
        Of their payloads, in bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._ends = array("I")
        self._status = bytearray()
        self._payloads: list[memoryview] = []

    def add(self, start: int, stop: int, header: Results, payload: Buffer) -> None:
        """Append the results of the indices from ``start`` to ``stop`` of a record."""
        count = stop - start
        first = position_in(header.ranges, start)
        ends = memoryview(header.ends).cast("I")
        base = ends[first - 1] if first else 0
        last = ends[first + count - 1]
        shift = self.size - base
        self._ends.extend([end + shift for end in ends[first : first + count]])
        self._status += header.status[first : first + count] or bytes(count)
        self._payloads.append(memoryview(payload)[base:last])
        self.size += last - base

    @property
    def ends(self) -> bytes:
        """Where each result ends, as messages have it."""
        return self._ends.tobytes()

    @property
    def status(self) -> bytes:
        """How each has ended, as messages have it."""
        return bytes(self._status) if any(self._status) else b""

    @property
    def payload(self) -> bytes:
        """All payloads, copied."""
        return b"".join(self._payloads)
