"""The tasks a worker has: spans from the broker and batches of its own tasks, in one queue.

The newest children stand in front, so that the tree of tasks stays narrow; what is handed back is
taken from the other end: the oldest.  No I/O; whoever calls holds the link's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from .. import columns
from ..client.groups import Group
from ..client.scopes import Closed, Scope
from ..wire.frames import Buffer
from ..wire.messages import Run

Done = tuple[int, int, bytes, Sequence[Buffer]]  # index, status, pickle, buffers

PIECE_S: Final = 0.002  # a runner claims about this much work at once


class Span:
    """Tasks of one batch that this worker has.

    Attributes
    ----------
    scope, group
        The parent and its view of the results, when that parent runs here too; else None.
    closed : Closed or None
        The batch as it will be told to the broker, until that has happened.
    done : deque of (index, status, pickle, buffers)
        Results that were not sent yet.
    given_up : list of (start, stop)
        Tasks that nobody wants from here any more; given again, they come in another span.
    time_limit_s : float
        What each task may take; 0: as long as it likes.
    timed, elapsed_ns : int
        How many tasks were timed since the last report, and what they took.
    """

    __slots__ = (
        "_base", "_ends", "batch", "buffers", "closed", "done", "elapsed_ns", "functions",
        "given_up", "group", "lineage", "ordinal", "payload", "replayed", "scope", "start",
        "starts", "stop", "time_limit_s", "timed", "which",
    )  # fmt: skip

    def __init__(
        self,
        batch: bytes,
        start: int,
        stop: int,
        *,
        functions: list[bytes],
        which: bytes,
        ends: bytes,
        base: int,
        payload: Buffer,
        buffers: dict[int, list[Buffer]],
        lineage: bytes,
        ordinal: int,
        replayed: Sequence[int] = (),
        time_limit_s: float = 0.0,
    ) -> None:
        self.batch = batch
        self.start = start
        self.stop = stop
        self.functions = functions
        self.which = memoryview(which).cast("H") if which else None
        self._base = base
        self._ends = memoryview(ends).cast("I")
        places = self._ends.tolist()
        self.starts = [0, *(place - base for place in places)] if base else [0, *places]
        self.payload = memoryview(payload)
        self.buffers = buffers
        self.lineage = lineage
        self.ordinal = ordinal
        self.replayed = frozenset(replayed)
        self.scope: Scope | None = None
        self.group: Group | None = None
        self.closed: Closed | None = None
        self.done: deque[Done] = deque()
        self.given_up: list[tuple[int, int]] = []
        self.time_limit_s = time_limit_s
        self.timed = 0
        self.elapsed_ns = 0

    @classmethod
    def from_run(cls, m: Run, frames: Sequence[Buffer]) -> Span:
        """Make a span of what the broker sent."""
        buffers: dict[int, list[Buffer]] = {}
        for (index, _), frame in zip(m.buffers, frames[1:], strict=True):
            buffers.setdefault(index, []).append(frame)
        return cls(
            m.batch,
            m.start,
            m.stop,
            functions=m.functions,
            which=m.which,
            ends=m.ends,
            base=m.base,
            payload=frames[0],
            buffers=buffers,
            lineage=m.lineage,
            ordinal=m.ordinal,
            replayed=m.replayed,
            time_limit_s=m.time_limit_s,
        )

    @classmethod
    def from_closed(cls, closed: Closed, batch: bytes) -> Span:
        """Make a span of a batch that was submitted in this worker."""
        packed = closed.packed
        buffers: dict[int, list[Buffer]] = {}
        for (index, _), frame in zip(packed.buffers, packed.frames, strict=True):
            buffers.setdefault(index, []).append(frame)
        span = cls(
            batch,
            0,
            closed.group.count,
            functions=[function.digest for function in closed.functions],
            which=closed.which,
            ends=packed.ends,
            base=0,
            payload=packed.payload,
            buffers=buffers,
            lineage=closed.scope.lineage,
            ordinal=closed.group.first,
        )
        span.scope = closed.scope
        span.group = closed.group
        span.closed = closed
        return span

    def function(self, index: int) -> bytes:
        """Return the digest of a task's function."""
        return self.functions[self.which[index - self.start] if self.which is not None else 0]

    def arguments(self, index: int) -> tuple[memoryview, Sequence[Buffer]]:
        """Return a task's pickled arguments and their buffers."""
        at = index - self.start
        view = self.payload[self.starts[at] : self.starts[at + 1]]
        return view, self.buffers.get(index, ())

    def numbers(self, start: int, stop: int) -> Iterator[tuple[Any, ...]] | None:
        """Return the arguments of tasks if all are numbers, and of one form."""
        if self.buffers or stop - start < columns.LEAST:
            return None
        at, end = start - self.start, stop - self.start
        begin = self.starts[at]
        payload = self.payload[begin : self.starts[end]]
        found = columns.load(payload, self._ends[at:end], self._base + begin)
        return None if found is None else iter(found)

    def gives_up(self, index: int) -> bool:
        """Does nobody want this task from here any more?"""
        return any(start <= index < stop for start, stop in self.given_up)

    def wanted(self) -> bool:
        """Does anybody here, or the broker, still want these tasks run here?"""
        return self.scope is None or self.scope.alive

    def is_reported(self) -> bool:
        """Does the broker want results?  Also of children whose parent is run elsewhere now."""
        scope = self.scope
        return scope is None or scope.alive or (scope.abandoned and self.closed is None)


class Piece:
    """Some tasks of a span: in the queue, or claimed by a runner."""

    __slots__ = ("next", "span", "stop")

    def __init__(self, span: Span, start: int, stop: int) -> None:
        self.span = span
        self.next = start
        self.stop = stop


class Queue:
    """What this worker has not begun."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._claimed: Piece | None = None  # by the runner that runs: others have given theirs back
        self._costs: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._pieces)

    def push_children(self, span: Span) -> None:
        """Children of a task that runs here come first."""
        self._pieces.appendleft(Piece(span, span.start, span.stop))

    def push(self, span: Span) -> None:
        """A span from the broker comes last."""
        self._pieces.append(Piece(span, span.start, span.stop))

    def give_back(self, piece: Piece) -> None:
        """A runner cannot go on with its piece now."""
        if piece.next < piece.stop:
            self._pieces.appendleft(Piece(piece.span, piece.next, piece.stop))
            piece.stop = piece.next

    def take(self) -> Piece | None:
        """Claim the next tasks: as many as take some milliseconds, one when nobody knows."""
        if not self._pieces:
            return None
        first = self._pieces[0]
        cost = self._costs.get(first.span.functions[0])
        if cost is None or len(first.span.functions) > 1:
            count = 1
        else:
            count = max(1, int(PIECE_S / max(cost, 1e-7)))
        if first.next + count >= first.stop:
            piece = self._pieces.popleft()
        else:
            piece = Piece(first.span, first.next, first.next + count)
            first.next += count
        self._claimed = piece
        return piece

    def timed(self, span: Span, tasks: int, elapsed_ns: int) -> None:
        """Tasks of a span took so long in all."""
        each = elapsed_ns * 1e-9 / tasks
        name = span.functions[0]
        known = self._costs.get(name)
        self._costs[name] = each if known is None else known + 0.5 * (each - known)
        span.timed += tasks
        span.elapsed_ns += elapsed_ns

    def recall(self) -> list[tuple[Span, int, int]]:
        """Take out about half of all, the oldest."""
        wanted = (sum(piece.stop - piece.next for piece in self._pieces) + 1) // 2
        taken = []
        while wanted > 0:
            last = self._pieces[-1]
            count = min(wanted, last.stop - last.next)
            taken.append((last.span, last.stop - count, last.stop))
            last.stop -= count
            wanted -= count
            if last.next == last.stop:
                self._pieces.pop()
        return taken

    def drop(
        self, batch: bytes, start: int, stop: int, *, claimed: bool
    ) -> list[tuple[bytes, int, int]]:
        """Take out what is there of these tasks; ``claimed``: also of what a runner has claimed.

        That runner goes on meanwhile: it may begin one of them all the same.
        """
        kept: deque[Piece] = deque()
        taken = []
        for piece in self._pieces:
            low, high = max(piece.next, start), min(piece.stop, stop)
            if piece.span.batch != batch or low >= high:
                kept.append(piece)
                continue
            taken.append((batch, low, high))
            if piece.next < low:
                kept.append(Piece(piece.span, piece.next, low))
            if high < piece.stop:
                kept.append(Piece(piece.span, high, piece.stop))
        self._pieces = kept
        mine = self._claimed
        if claimed and mine is not None and mine.span.batch == batch:
            low, high, end = max(mine.next + 1, start), min(mine.stop, stop), mine.stop
            if low < high:
                mine.stop = low
                taken.append((batch, low, high))
                if high < end:
                    kept.appendleft(Piece(mine.span, high, end))
        return taken

    def drop_unwanted(self) -> list[tuple[Span, int, int]]:
        """Take out the children of parents that have ended."""
        dropped = [(p.span, p.next, p.stop) for p in self._pieces if not p.span.wanted()]
        if dropped:
            self._pieces = deque(piece for piece in self._pieces if piece.span.wanted())
        return dropped

    def functions(self) -> set[bytes]:
        """Return the digests of all that is here, with what was claimed last."""
        pieces = [*self._pieces, *([self._claimed] if self._claimed is not None else [])]
        return {digest for piece in pieces for digest in piece.span.functions}

    def forget(self, functions: Iterable[bytes]) -> None:
        """These are called no more."""
        for name in functions:
            self._costs.pop(name, None)

    def spans(self) -> Iterator[tuple[Span, int, int]]:
        """Yield what has not begun: what is queued, and what a runner has claimed."""
        for piece in self._pieces:
            yield piece.span, piece.next, piece.stop
        claimed = self._claimed
        begin = 0 if claimed is None else claimed.next  # its runner goes on
        if claimed is not None and begin < claimed.stop:
            yield claimed.span, begin, claimed.stop
