"""``scoop-ft journal show``: everything about one task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..broker import naming
from ..broker.tasks import VOID, Batch
from ..errors import RunError
from ..ids import ROOT_ID, task_id
from ..rundir import RunDir
from .failures import failure
from .listing import attempts
from .loader import Loader
from .opened import Opened, opened
from .rows import Place, Row, read

CHILDREN = 10  # named one by one


def lines(directory: RunDir, task: str) -> Iterator[str]:
    """Yield what is to be printed of a task.

    Raises
    ------
    RunError
        There is none of this name.
    """
    with opened(directory) as run:
        batch, index = naming.locate(run.book, task)
        place = Place(naming.name(run.book, batch, index), batch, index)
        rows = next(read(run.reader, iter([place])), None)
        if rows is None:
            raise RunError(f"task {place.name} has just left the journal: its parent has completed")
        yield from _lines(run, rows[0])


def _lines(run: Opened, row: Row) -> Iterator[str]:
    place = row.place
    failed = place.state == "failed" and row.answer is not None
    found = failure(row.answer) if failed and row.answer is not None else None
    times = attempts(row, found)
    yield f"task       {place.name}"
    yield f"function   {run.function(row)}"
    yield f"state      {place.state}{f', its worker died {times} times' if times else ''}"
    yield f"parent     {_parent(run, place.batch)}"
    done = place.state == "done"
    with Loader(run.info) as loader:
        item = run.item(row, result=done)
        shown = loader.show("text", run.functions([row]), [item])[0]
    yield shown.decode() if isinstance(shown, bytes) else f"arguments and result\n  <{shown}>"
    if found is not None:
        yield "failure"
        yield from (f"  {line}" for line in found.text.splitlines())
    yield from _children(run, place)


def _parent(run: Opened, batch: Batch) -> str:
    above = run.book.task(batch.parent) if batch.parent != ROOT_ID else None
    return naming.name(run.book, *above) if above is not None else "the script"


def _children(run: Opened, place: Place) -> Iterator[str]:
    family = run.book.families.get(task_id(place.batch.id, place.index))
    if family is None:
        if place.state == "done":
            yield "children   none in the journal (those of a finished task leave it)"
        return
    states: Counter[str] = Counter()
    names: list[str] = []
    for batch in family.batches.values():
        for start, stop, state in batch.runs(0, batch.count):
            if state != VOID:
                states[Place("", batch, start).state] += stop - start
    for segment in family.segments:
        for ordinal in range(segment.first, segment.stop):
            if len(names) < CHILDREN:
                names.append(f"{place.name}.{ordinal + 1}")
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    more = ", …" if sum(states.values()) > len(names) else ""
    yield f"children   {counts}: {', '.join(names)}{more}"
