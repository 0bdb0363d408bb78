"""Tasks that are made up, and their results, as bytes.

A task's argument says what it does: ``leaf:…`` returns ``[leaf:…]``; ``tree:3:…`` submits three
leaves and returns theirs in parentheses; ``deep:2:…`` submits two trees.  What must come out is
therefore known from the argument alone (`expected`).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate

from scoop_ft.ids import digest
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import Buffer

BLOB = b"pickle of the function"
FUNCTION = digest(BLOB)


def children(argument: bytes) -> list[bytes]:
    """Return the arguments of the calls that a task makes."""
    what, _, rest = argument.partition(b":")
    if what not in (b"tree", b"deep"):
        return []
    count, _, name = rest.partition(b":")
    below = b"leaf:" if what == b"tree" else b"tree:2:"
    return [below + name + b".%d" % number for number in range(int(count))]


def expected(argument: bytes) -> bytes:
    """Return the result of a task."""
    calls = children(argument)
    return combine([expected(call) for call in calls]) if calls else b"[" + argument + b"]"


def combine(results: Sequence[bytes]) -> bytes:
    """Return what a task makes of its children's results."""
    return b"(" + b",".join(results) + b")"


def packed_ends(parts: Sequence[Buffer]) -> bytes:
    """Return where each part ends."""
    return array("I", accumulate(len(part) for part in parts)).tobytes()


def unpack_results(m: wire.Deliver, frames: Sequence[Buffer]) -> dict[int, tuple[int, bytes]]:
    """Return status and payload of each result, by ordinal."""
    found = {}
    ends = memoryview(m.ends).cast("I")
    begin, position = m.base, 0
    for number, (start, stop) in enumerate(m.ranges):
        shift = m.shifts[number] if m.shifts else m.shift
        for index in range(start, stop):
            status = m.status[position] if m.status else 0
            found[index + shift] = (
                status, bytes(frames[0][begin - m.base : ends[position] - m.base])
            )  # fmt: skip
            begin = ends[position]
            position += 1
    return found


def give_back(m: wire.Deliver, n: int) -> wire.Results:
    """Return what a broker had passed on, as the results it was."""
    ends = array("I", (end - m.base for end in memoryview(m.ends).cast("I"))).tobytes()
    return wire.Results(n, m.batch, m.ranges, m.status, ends, m.buffers, 0, 0, True)
