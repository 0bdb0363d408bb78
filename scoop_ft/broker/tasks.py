"""A batch's tasks and their states: one byte a task, moved in ranges.

This is the only place that changes a task's state; an illegal move raises and changes nothing.

    HELD ──claimed──> QUEUED ──sent──> LEASED ──> DONE ──function edited──> HELD
      ^                 │  ^             │  │
      └──parent gone────┘  └─worker gone─┘  └───> FAILED, CANCELLED

``HELD`` tasks are recorded but nobody who could use their results asks for them now.  ``VOID``
indices are older tasks under another name (a replayed submission that met its own record).

No I/O, no clock; it knows nothing of workers or messages.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from ..errors import InvalidTransition
from ..ids import short
from ..wire.messages import PLAIN, Options
from .entries import Entry
from .holders import Holders
from .lanes import is_special

HELD, QUEUED, LEASED, DONE, FAILED, CANCELLED, VOID = range(7)
NAMES = ("held", "queued", "leased", "done", "failed", "cancelled", "void")

# A result may come for a task in any unfinished state: silent is not dead, and late is not wrong.
LEGAL: dict[int, frozenset[int]] = {
    HELD: frozenset({QUEUED, LEASED, DONE, FAILED, CANCELLED, VOID}),
    QUEUED: frozenset({HELD, LEASED, DONE, FAILED, CANCELLED}),
    LEASED: frozenset({HELD, QUEUED, DONE, FAILED, CANCELLED}),
    DONE: frozenset({HELD}),  # only when its function was edited, and its result shall not count
    FAILED: frozenset({HELD}),
    CANCELLED: frozenset({HELD, QUEUED, DONE, FAILED}),
    VOID: frozenset(),
}
LOST, FORSAKEN = -1, -2  # in place of an ordinal
NEAR = 256  # tasks that are looked through one by one (in C: a Python loop costs 50 ns a task)
OTHERS = tuple(tuple({*range(len(NAMES))} - {state}) for state in range(len(NAMES)))
UNFINISHED = (LEASED, QUEUED, HELD, CANCELLED)  # the usual one first


NONE_OF_THEM: Final[set[int]] = set()  # these three are shared, and stay empty
NONE_COUNTED: Final[dict[int, int]] = {}
NONE_CHANGED: Final[dict[int, Options]] = {}


class Tally:
    """How many tasks are in each state, over all batches."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * len(NAMES)

    def of(self, state: int) -> int:
        """Return how many tasks are in a state."""
        return self.counts[state]


class Batch:
    """Tasks of one parent submitted together.

    Attributes
    ----------
    id, seq, records : bytes, int, int
        Its name, its journal record, and how many records that takes (its buffers follow it).
    parent, first, count, lineage
        Its parent's task id, its first ordinal, its number of tasks, its parent's lineage.
    functions : list of bytes
        The digests of the functions its tasks call.
    which : bytes
        Little-endian u16 a task: its function's place in ``functions``; empty: all 0.
    state : bytearray
        One byte a task.
    claimed : bytearray or None
        1 for each task that the present run of its parent has submitted; None: all of them.
    results : list of (start, stop, seq, records)
        Where its results are recorded, in order of indices.
    attempts : dict
        Crashes of workers while a task was running, by index.
    places : array of int, or None
        The ordinal of each index; None: ``first + index`` for all.  `LOST`: the present run of the
        parent has submitted something else there; `FORSAKEN`: an earlier one had.
    lost : int
        How many tasks are `LOST` (see `departures`).
    families, kept : set of int
        The tasks that have children, and those that have checkpoints or durable steps.
    holders : Holders
        Which sessions have leases on it.
    options : Options
        How its tasks are to be run (without their keys).
    changed : dict
        The options of those tasks that have others now, by index.
    special : bool
        Some of its tasks do not go into the queue that has no order (see `lanes`).
    """

    __slots__ = (
        "attempts", "changed", "claimed", "count", "families", "first", "functions", "holders",
        "id", "kept", "lineage", "lost", "options", "parent", "payload_bytes", "places", "records",
        "results", "seq", "special", "state", "tally", "which",
    )  # fmt: skip

    def __init__(
        self,
        tally: Tally,
        *,
        id: bytes,
        seq: int,
        records: int,
        parent: bytes,
        lineage: bytes,
        first: int,
        count: int,
        functions: list[bytes],
        payload_bytes: int,
        which: bytes = b"",
        options: Options = PLAIN,
    ) -> None:
        self.tally = tally
        self.id = id
        self.seq = seq
        self.records = records
        self.parent = parent
        self.lineage = lineage
        self.first = first
        self.count = count
        self.functions = functions
        self.payload_bytes = payload_bytes
        self.which = which
        self.state = bytearray(count)
        self.claimed: bytearray | None = None
        self.results: list[Entry] = []
        # Most batches have none of these, and there may be a million of one task each.
        self.attempts = NONE_COUNTED
        self.families = NONE_OF_THEM
        self.kept = NONE_OF_THEM
        self.places: array[int] | None = None
        self.lost = 0
        self.holders = Holders()
        self.options = options
        self.changed = NONE_CHANGED
        self.special = is_special(options)
        tally.counts[HELD] += count

    def __repr__(self) -> str:
        return f"<Batch {short(self.id)} of {self.count} tasks from ordinal {self.first}>"

    def note_family(self, index: int) -> None:
        """A task has children."""
        self.families = self.families or set()
        self.families.add(index)

    def note_kept(self, index: int) -> None:
        """A task has a checkpoint or a durable step."""
        self.kept = self.kept or set()
        self.kept.add(index)

    def count_attempt(self, index: int) -> int:
        """A worker has died running a task; return how many have."""
        self.attempts = self.attempts or {}
        self.attempts[index] = self.attempts.get(index, 0) + 1
        return self.attempts[index]

    @property
    def intact(self) -> bool:
        """Is each index the child of ordinal ``first + index``?"""
        return self.places is None

    def is_displaced(self, index: int) -> bool:
        """Has its parent, run again, submitted something else at this task's ordinal?"""
        return self.places is not None and self.places[index] < 0

    def put(self, index: int, ordinals: range | None, count: int) -> None:
        """These indices are the children of these ordinals now (None: of none)."""
        if self.places is None:
            if ordinals is not None and ordinals.start == self.first + index:
                return
            self.places = array("q", range(self.first, self.first + self.count))
        stop = index + count
        if ordinals is None:
            self.lost += count - self.state.count(VOID, index, stop)
        else:
            self.lost -= self.places[index:stop].count(LOST)
        self.places[index:stop] = array("q", ordinals or (LOST,) * count)

    def without_place(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches of tasks recorded between two ordinals that have none now."""
        if self.places is None:
            return
        low, high = max(first - self.first, 0), min(stop - self.first, self.count)
        for start, end, state in self.runs(low, high):
            at = start
            while state != VOID and at < end:
                begin = at
                while at < end and self.places[at] < 0:
                    at += 1
                if at > begin:
                    yield begin, at
                at += 1

    def forsake(self) -> None:
        """Another run of the parent begins: what is lost now is not lost by that one."""
        if self.lost and self.places is not None:
            self.places = array("q", (FORSAKEN if p == LOST else p for p in self.places))
            self.lost = 0

    def move(self, start: int, stop: int, to: int) -> None:
        """Move tasks that are all in one state to another one.

        Raises
        ------
        InvalidTransition
            They are not in one state, or that state does not lead there.
        """
        was = self.state[start]
        if self.state.count(was, start, stop) != stop - start:
            raise InvalidTransition(f"{self!r}: tasks {start} to {stop} are in several states")
        if to not in LEGAL[was]:
            raise InvalidTransition(
                f"{self!r}: tasks {start} to {stop} cannot go from {NAMES[was]} to {NAMES[to]}"
            )
        self.state[start:stop] = bytes((to,)) * (stop - start)
        self.tally.counts[was] -= stop - start
        self.tally.counts[to] += stop - start

    def runs(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield ``(start, stop, state)`` of each stretch of tasks in one state."""
        states = self.state
        while start < stop:
            state, end = states[start], start + 1
            if end < stop and states[end] == state:
                near = states[end : min(end + NEAR, stop)]
                end += len(near) - len(near.lstrip(near[:1]))
                if end < stop and states[end] == state:
                    end = self._end_of(state, end, stop)
            yield start, end, state
            start = end

    def _end_of(self, state: int, start: int, stop: int) -> int:
        """Return where a stretch of tasks in one state ends that is a long one.

        Without a copy: other states are looked for, in pieces, since they may be far away.
        """
        size = NEAR
        while start < stop:
            size = min(size * 8, stop - start)
            ends = (self.state.find(other, start, start + size) for other in OTHERS[state])
            found = min((end for end in ends if end >= 0), default=-1)
            if found >= 0:
                return found
            start += size
        return stop

    def awaited(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the stretches of these tasks that have no result yet; neighbours are one."""
        found: list[tuple[int, int]] = []
        for start, stop in ranges:
            begin = len(found)
            for a, z, state in self.runs(start, min(stop, self.count)):
                if state not in UNFINISHED:
                    continue
                if len(found) > begin and found[-1][1] == a:
                    a, _ = found.pop()
                found.append((a, z))
        return found

    def stretches_of(self, function: bytes) -> Iterator[tuple[int, int]]:
        """Yield the stretches of tasks that call a function."""
        if function not in self.functions:
            return
        if not self.which:
            if self.functions[0] == function:
                yield 0, self.count
            return
        which = memoryview(self.which).cast("H")
        at = 0
        while at < self.count:
            start = at
            calls = self.functions[which[at]] == function
            while at < self.count and (self.functions[which[at]] == function) == calls:
                at += 1
            if calls:
                yield start, at

    def move_all(self, start: int, stop: int, origin: int, to: int) -> int:
        """Move those tasks that are in state ``origin``; return how many."""
        moved = 0
        for a, b, state in list(self.runs(start, stop)):
            if state == origin:
                self.move(a, b, to)
                moved += b - a
        return moved

    def function_of(self, index: int) -> bytes:
        """Return the digest of the function that a task calls."""
        which = memoryview(self.which).cast("H")[index] if self.which else 0
        return self.functions[which]

    def options_of(self, index: int) -> Options:
        """Return how a task is to be run."""
        return self.changed.get(index, self.options) if self.changed else self.options

    def alike(self, start: int, stop: int) -> Iterator[tuple[int, int, Options]]:
        """Yield the stretches of tasks that have the same options."""
        if not self.changed:
            yield start, stop, self.options
            return
        while start < stop:
            begin, options = start, self.options_of(start)
            while start < stop and self.options_of(start) == options:
                start += 1
            yield begin, start, options

    def change(self, start: int, stop: int, options: Options) -> None:
        """These tasks are to be run in another way from now on."""
        if stop - start == self.count:
            self.options, self.changed = options, NONE_CHANGED
        else:
            self.changed = self.changed or {}
            self.changed.update(dict.fromkeys(range(start, stop), options))
        self.special = bool(self.changed) or is_special(self.options)

    def forget(self) -> None:
        """Take this batch's tasks out of the tally: it leaves the book."""
        for state in range(len(NAMES)):
            self.tally.counts[state] -= self.state.count(state)
        self.state = bytearray((VOID,)) * self.count  # what is queued of it is no more

    def is_claimed(self, index: int) -> bool:
        """Has the present run of the parent submitted this task?"""
        return self.claimed is None or bool(self.claimed[index])

    def claimed_stretches(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the stretches between two indices that the parent's present run submitted."""
        if self.claimed is None:
            return [(start, stop)]
        found = []
        at = self.claimed.find(1, start, stop)
        while at >= 0:
            end = self.claimed.find(0, at, stop)
            end = stop if end < 0 else end
            found.append((at, end))
            at = self.claimed.find(1, end, stop)
        return found

    def claim(self, start: int, stop: int) -> None:
        """The present run of the parent has submitted these tasks."""
        if self.claimed is not None:
            self.claimed[start:stop] = b"\x01" * (stop - start)
            if self.claimed.count(1) == self.count:
                self.claimed = None

    def unclaim(self) -> None:
        """The parent is run again: what it submitted before is claimed no more."""
        self.claimed = bytearray(self.count)
