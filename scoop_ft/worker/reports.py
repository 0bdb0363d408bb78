"""Results of tasks that have ended, as the messages that report them.

Logic only: what is taken from a span here is said by `session`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from ..payload import Packed
from ..wire import messages as wire
from ..wire.frames import Buffer
from .spans import Done, Span

MESSAGE_BYTES: Final = 16 << 20  # results of many tasks go into messages of about this size

Report = tuple[wire.Results, list[Buffer]]


def of_ended(span: Span, number: Callable[[], int]) -> Iterator[Report]:
    """Yield the messages for what has ended of a span and was not reported."""
    done = [span.done.popleft() for _ in range(len(span.done))]
    begin = size = 0
    for at, (index, _, payload, _) in enumerate(done):
        if at > begin and _begins_message(span, done[at - 1][0], index, size):
            yield _of_run(span, done[begin:at], number())
            begin, size = at, 0
        size += len(payload)
    yield _of_run(span, done[begin:], number())


def of_tray(span: Span, first: int, packed: Packed, number: int) -> Report:
    """Return the message for results that lay on a tray, from this index on."""
    count = packed.objects
    buffers = [(first + index, size) for index, size in packed.buffers]
    message = wire.Results(
        number, span.batch, [(first, first + count)], b"", packed.ends, buffers,
        *_times(span, count), kept=False,
    )  # fmt: skip
    return message, [packed.payload, *packed.frames]


def _begins_message(span: Span, before: int, index: int, size: int) -> bool:
    """Must a result go into another message than the one before it?

    Ranges grow, messages stay small, and times are those of one function.
    """
    if index <= before or size >= MESSAGE_BYTES:
        return True
    return len(span.functions) > 1 and span.function(index) != span.function(before)


def _of_run(span: Span, done: Sequence[Done], number: int) -> Report:
    ranges: list[tuple[int, int]] = []
    buffers: list[tuple[int, int]] = []
    frames: list[Buffer] = [b"".join([payload for _, _, payload, _ in done])]
    for index, _, _, parts in done:
        if ranges and ranges[-1][1] == index:
            ranges[-1] = (ranges[-1][0], index + 1)
        else:
            ranges.append((index, index + 1))
        for part in parts:
            buffers.append((index, len(part)))
            frames.append(part)
    status = bytes(status for _, status, _, _ in done)
    ends = array("I", accumulate(len(payload) for _, _, payload, _ in done))
    message = wire.Results(
        number, span.batch, ranges, status if any(status) else b"", ends.tobytes(), buffers,
        *_times(span, len(done)), span.scope is not None and span.scope.alive,
    )  # fmt: skip
    return message, frames


def _times(span: Span, count: int) -> tuple[int, int]:
    """Return how many of so many tasks were timed, and what these took."""
    timed = min(span.timed, count)
    elapsed = span.elapsed_ns * timed // span.timed if span.timed else 0
    span.timed -= timed
    span.elapsed_ns -= elapsed
    return timed, elapsed
