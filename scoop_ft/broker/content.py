"""What a task is made of, compared: function and argument bytes, never looked into; or a key.

Resume rests on this: a replayed submission gets a recorded result only when the bytes agree.
Where both calls have a key of the user's own, that is compared in place of their arguments.  Pure
functions over buffers; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..ids import DIGEST_BYTES, digest
from ..wire.codec import decode_header
from ..wire.frames import Buffer
from ..wire.messages import Submit

if TYPE_CHECKING:
    from .tasks import Batch


class Content:
    """The tasks of a batch as bytes.

    Parameters
    ----------
    header : Submit
    payload : bytes or memoryview
    buffers : sequence of bytes or memoryview
    """

    __slots__ = ("buffers", "ends", "functions", "keys", "payload", "which")

    def __init__(self, header: Submit, payload: Buffer, buffers: Sequence[Buffer]) -> None:
        self.functions = header.functions
        self.which = memoryview(header.which).cast("H") if header.which else None
        self.ends = memoryview(header.ends).cast("I")
        self.keys = header.options.keys
        self.payload = memoryview(payload)
        self.buffers: dict[int, list[Buffer]] = {}
        for (index, _), frame in zip(header.buffers, buffers, strict=True):
            self.buffers.setdefault(index, []).append(frame)

    @classmethod
    def of(cls, view: Any, batch: Batch) -> Content:
        """Read the tasks of a recorded batch, in a view of the journal."""
        record = view.record(batch.seq)
        return cls(decode_header(record.header, Submit), record.payload, record.buffers)

    def function(self, index: int) -> bytes:
        """Return the digest of a task's function."""
        return self.functions[self.which[index] if self.which is not None else 0]

    def start(self, index: int) -> int:
        """Return where a task's pickle begins."""
        return self.ends[index - 1] if index else 0

    def arguments(self, index: int) -> memoryview:
        """Return a task's pickled arguments."""
        return self.payload[self.start(index) : self.ends[index]]

    def key(self, index: int) -> bytes:
        """Return the digest of a task's key; empty: it has none."""
        return self.keys[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)]

    def names(self, index: int) -> list[bytes]:
        """Return what a recorded task is found under: see `wanted`."""
        by_call = self.name(index)
        return [self._by_key(index), digest(b"keyed" + by_call)] if self.keys else [by_call]

    def wanted(self, index: int) -> list[bytes]:
        """Return what a call looks for: its key, or else its arguments."""
        by_call = self.name(index)
        return [self._by_key(index) if self.keys else digest(b"keyed" + by_call), by_call]

    def _by_key(self, index: int) -> bytes:
        return digest(b"key" + self.function(index) + self.key(index))

    def name(self, index: int) -> bytes:
        """Return a digest of all that makes up a call."""
        parts = [self.function(index), bytes(self.arguments(index))]
        parts += [bytes(frame) for frame in self.buffers.get(index, ())]
        return digest(b"".join(parts))


def same_task(a: Content, i: int, b: Content, j: int) -> bool:
    """Are these two tasks the same call?"""
    if a.keys and b.keys:
        return a.function(i) == b.function(j) and a.key(i) == b.key(j)
    return (
        a.function(i) == b.function(j)
        and a.arguments(i) == b.arguments(j)
        and _same_buffers(a.buffers.get(i, ()), b.buffers.get(j, ()))
    )


def _same_buffers(a: Sequence[Buffer], b: Sequence[Buffer]) -> bool:
    return len(a) == len(b) and all(
        memoryview(x).cast("B") == memoryview(y).cast("B") for x, y in zip(a, b, strict=True)
    )


def _all_same(a: Content, i: int, b: Content, j: int, count: int) -> bool:
    """Are these stretches the same calls?  Compared as a whole: False may be too pessimistic."""
    if a.which is not None or b.which is not None or a.buffers or b.buffers:
        return False
    if a.keys and b.keys:
        return False
    lo, other = a.start(i), b.start(j)
    if a.function(i) != b.function(j) or lo != other:
        return False
    if bytes(a.ends[i : i + count]) != bytes(b.ends[j : j + count]):
        return False
    stop = a.ends[i + count - 1]
    return bytes(a.payload[lo:stop]) == bytes(b.payload[lo:stop])


def compare(a: Content, i: int, b: Content, j: int, count: int) -> Iterator[tuple[int, int, bool]]:
    """Yield ``(offset, count, same)`` for each stretch of tasks that are the same, or are not."""
    if _all_same(a, i, b, j, count):
        yield 0, count, True
        return
    begin, was = 0, same_task(a, i, b, j)
    for offset in range(1, count):
        now = same_task(a, i + offset, b, j + offset)
        if now != was:
            yield begin, offset - begin, was
            begin, was = offset, now
    yield begin, count - begin, was
