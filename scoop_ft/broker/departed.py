"""What becomes of departures: kept when their batches go from the journal, or the run's end.

With ``--on-divergence error`` the first one that is certain stops the run, and nothing of it is
recorded as a task.  It is certain

- at once, when the parent submits in an order that nobody's timing decides (`Submit.ordered`);
- else at the parent's end: what it has not asked for until then it will not ask for.

Decides and records; what a departure is, `departures` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ..ids import ROOT_ID, task_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from . import departures, naming, records
from .content import Content
from .families import Family
from .records import Departed, Kind
from .tasks import DONE, LOST, VOID

if TYPE_CHECKING:
    from .core import Broker
    from .tasks import Batch

RECOMPUTE: Final = "recompute"
ERROR: Final = "error"
KEPT_BYTES: Final = 1 << 20  # of the calls of one departure, in a record of their own

Call = tuple[bytes, bytes, list[Buffer]]  # digest of the function, arguments, buffers


# ---- as a call comes ---------------------------------------------------------------------------


def is_refused(b: Broker, family: Family, m: wire.Submit, content: Content, index: int) -> bool:
    """The call of this index was found nowhere: is that the end of the run?"""
    if b.on_divergence != ERROR or not m.ordered:
        return False
    old = _left_out(family, m)
    if old is None:
        return False
    ordinal = m.first + index
    with b.journal.reading() as view:
        above, parent_function = naming.of_parent(b.book, family.parent)
        was = _call(view, *old)
        task = naming.of_child(above, ordinal)
        new = _of_content(content, index)
        _keep(b, 0, task, parent_function, ordinal, was, new)
    _stop(b, task, ordinal, b.book.function_name(new[0]))
    return True


def _left_out(family: Family, m: wire.Submit) -> tuple[Batch, int] | None:
    """Return the first recorded task that this submission leaves out, or one before it has."""
    for batch in family.batches.values():
        if batch.lost and batch.places is not None:
            at = batch.places.index(LOST)
            while batch.state[at] == VOID:
                at = batch.places.index(LOST, at + 1)
            return batch, at
    for segment in family.overlapping(m.first, m.first + m.count):
        for index in range(segment.index, segment.index + segment.count):
            if not segment.batch.is_claimed(index):
                return segment.batch, index
    return None


# ---- at an end ---------------------------------------------------------------------------------


def at_the_end(b: Broker) -> bool:
    """The script has ended: was that the end of a departure? Then it is not recorded."""
    return b.on_divergence == ERROR and _ends_it(b, b.book.family(ROOT_ID))


def at_its_end(b: Broker, batch: Batch, m: wire.Results) -> bool:
    """Results are about to be recorded: some of parents whose batches go with that.

    Returns whether these are refused.
    """
    ended = [i for i in batch.families if any(start <= i < stop for start, stop in m.ranges)]
    for index in sorted(ended):
        parent = task_id(batch.id, index)
        if parent not in b.book.departing or not _is_done(batch, m, index):
            continue
        family = b.book.families[parent]
        if departures.count(family) and b.on_divergence == ERROR:
            return _ends_it(b, family)
        if departures.count(family):
            _keep_first(b, family)
    return False


def _is_done(batch: Batch, m: wire.Results, index: int) -> bool:
    """Is this the result that counts of a task, and its end?"""
    position = 0
    for start, stop in m.ranges:
        if start <= index < stop:
            status = m.status[position + index - start] if m.status else wire.Status.OK
            return status == wire.Status.OK and batch.state[index] != DONE
        position += stop - start
    return False


def _ends_it(b: Broker, family: Family) -> bool:
    found = departures.of_family(family, 1)
    if not found:
        return False
    [one] = found
    with b.journal.reading() as view:
        above, parent_function = naming.of_parent(b.book, family.parent)
        old, new = _call(view, *one.old), _call(view, *one.new)
    task = naming.of_child(above, one.ordinal)
    _stop(b, task, one.ordinal, b.book.function_name(new[0]))
    if family.parent != ROOT_ID:
        _keep(b, 0, task, parent_function, one.ordinal, old, new)
    return True


def _keep_first(b: Broker, family: Family) -> None:
    """The batches of a parent go: keep how often it has departed, and the first time."""
    number = departures.count(family)
    found = departures.of_family(family, 1)
    if not found:
        return
    [one] = found
    with b.journal.reading() as view:
        above, parent_function = naming.of_parent(b.book, family.parent)
        old, new = _call(view, *one.old), _call(view, *one.new)
        task = naming.of_child(above, one.ordinal)
        _keep(b, number, task, parent_function, one.ordinal, old, new)


# ---- used by both ------------------------------------------------------------------------------


def _stop(b: Broker, task: str, ordinal: int, function: str) -> None:
    above = task.rpartition(".")[0]
    parent = f"task {above}" if above else "the script"
    called = b.settings.get("called", b.run)
    b.diverged = (
        f"{parent} departs from what is recorded: task {task}, its ordinal {ordinal}, {function}, "
        f"is another call than before: 'scoop-ft explain {called} {task}' shows both, "
        f"'scoop-ft resume {called} --on-divergence recompute' computes it"
    )
    b.send(b.root, wire.Stop(b.diverged))
    b.hurry = True


def _keep(
    b: Broker, number: int, task: str, parent_function: str, ordinal: int, old: Call, new: Call
) -> None:
    """Record a departure, the first ones with both calls."""
    buffers = [*old[2], *new[2]]
    size = len(old[1]) + len(new[1]) + sum(memoryview(part).nbytes for part in buffers)
    shown = len(b.book.strays) < departures.SHOWN and size <= KEPT_BYTES
    message = Departed(
        number, task, parent_function, ordinal, old[0], new[0], len(old[1]) if shown else 0,
        len(old[2]) if shown else 0, len(buffers) if shown else 0,
    )  # fmt: skip
    payload = old[1] + new[1] if shown else b""
    parts: Sequence[Buffer] = [bytes(part) for part in buffers] if shown else []
    b.book.apply_departed(b.append(Kind.DEPARTED, records.encode(message), payload, parts), message)


def _call(view: Any, batch: Batch, index: int) -> Call:
    return _of_content(Content.of(view, batch), index)


def _of_content(content: Content, index: int) -> Call:
    buffers = [bytes(part) for part in content.buffers.get(index, ())]
    return content.function(index), bytes(content.arguments(index)), list(buffers)
