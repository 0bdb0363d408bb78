"""``scoop-ft journal ls``: one line a task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..rundir import RunDir
from .failures import Failure, failure
from .opened import Opened, opened
from .rows import Place, Row, read, walk


def lines(directory: RunDir, *, failed: bool, function: str | None, as_json: bool) -> Iterator[str]:
    """Yield what is to be printed, as it is read.

    Parameters
    ----------
    directory : RunDir
    failed : bool
        Only what failed, with its exception and traceback.
    function : str or None
        Only calls of this function: its name, with or without its module.
    as_json : bool
        Each task as a line of JSON.
    """
    with opened(directory) as run:
        places: Iterator[Place] = walk(run.book)
        if failed:
            places = (place for place in places if place.state == "failed")
        for chunk in read(run.reader, places, calls=False, answers=failed):
            for row in chunk:
                name = run.function(row)
                if function is None or name == function or name.endswith("." + function):
                    found = failure(row.answer) if failed and row.answer is not None else None
                    yield from _json(run, row, found) if as_json else _text(run, row, found)


def _json(run: Opened, row: Row, found: Failure | None) -> Iterator[str]:
    fields: dict[str, Any] = {
        "task": row.place.name,
        "state": row.place.state,
        "function": run.function(row),
        "attempts": attempts(row, found),
    }
    if found is not None:
        fields |= {"exception": found.line, "traceback": found.text}
    yield json.dumps(fields)


def _text(run: Opened, row: Row, found: Failure | None) -> Iterator[str]:
    times = attempts(row, found)
    killed = f"  (its worker died {times} time{'s' * (times != 1)})" if times else ""
    yield f"{row.place.name:<10} {row.place.state:<8} {run.function(row)}{killed}"
    if found is not None:
        yield f"    {found.line}"
        if found.text != found.line:
            yield from (f"    | {line}" for line in found.text.splitlines())


def attempts(row: Row, found: Failure | None) -> int:
    """Return how often a worker died of a task, as far as it counts still."""
    counted = row.place.batch.attempts.get(row.place.index, 0)
    return max(counted, found.attempts if found is not None else 0)
