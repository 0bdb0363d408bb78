"""``scoop-ft explain`` and ``resume --dry-run``: what happened to tasks, what would, and why.

Reads the journal beside a living run or after it, and makes plain values of it; `telling` writes
them for people.  Arguments are shown by a process of their own (`ask`), once the journal is left:
who reads keeps its pages from being used again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from scoop_journal import JournalError, Reader, View

from ..broker import departures, from_journal, naming
from ..broker.book import Book
from ..broker.content import Content
from ..broker.departures import Departure
from ..broker.records import Departed
from ..broker.tasks import Batch
from ..errors import RunError
from ..ids import ROOT_ID, short
from ..launch import moved
from ..rundir import RunDir, RunInfo, find_runs, locate
from . import ask, history
from .calls import Call, call_of, ordinal_of
from .questions import Difference, Pair
from .reasons import MEANS, Reasons, Why, by_function, by_reason
from .rows import state_of

MOST_DIFFS: Final = 10  # departures of an overview whose arguments are loaded and compared

Plain = dict[str, Any]  # becomes JSON


class Read(NamedTuple):
    """A run, what its journal holds, and what is to be shown of that."""

    run: str
    info: RunInfo
    book: Book
    reader: Reader
    view: View
    asked: list[tuple[Plain, Pair]]  # where to put how the pair differs

    def ask(self, found: Plain, pair: Pair | None) -> None:
        """Have two calls shown, in what is found of them."""
        if pair is not None:
            self.asked.append((found, pair))


def command(words: list[str], *, as_json: bool) -> int:
    """Carry out ``scoop-ft explain``; return the exit code."""
    from .telling import tell_run, tell_task

    directory, task = _parse(words)
    changed = edited_functions(directory)
    try:
        with reading(directory) as read:
            found = overview(read, changed) if task is None else of_task(read, task, changed)
        differences = ask.differences(read.info, [pair for _, pair in read.asked])
    except JournalError as error:
        raise RunError(str(error)) from error
    for (place, _), difference in zip(read.asked, differences, strict=True):
        place.update(_plain(difference))
    if task is not None:
        found["call"] = found["call"].get("old", "")
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        (tell_run if task is None else tell_task)(found)
    return 0


def _parse(words: list[str]) -> tuple[RunDir, str | None]:
    """Tell a run from a task: a single word is a run where there is one of that name."""
    if len(words) > 2:
        raise RunError("explain wants a run, a task, or both: scoop-ft explain [RUN] [TASK]")
    if len(words) == 2:
        return locate(words[0]), words[1]
    if words:
        try:
            return locate(words[0]), None
        except RunError:
            if not words[0][:1].isdigit() or "-" in words[0] or "/" in words[0]:
                raise  # no task is called so
    runs = find_runs()
    if not runs:
        raise RunError("no run found in this folder: name one: scoop-ft explain RUN [TASK]")
    return runs[-1], words[0] if words else None


@contextmanager
def reading(directory: RunDir) -> Iterator[Read]:
    """Read a run's journal: as it is now, though the run may go on meanwhile."""
    info = moved.to_look(directory)
    if not directory.has_journal():
        raise RunError(f"run {info.run} has no journal yet: nothing has happened in it")
    book = Book()
    reader = Reader.open(directory.journal, unsafe_filesystem=info.unsafe_filesystem)
    with reader, reader.reading() as view:
        for seq, record in reader.scan():
            if seq not in view:
                break  # recorded since
            from_journal.apply(book, seq, record)
        yield Read(info.run, info, book, reader, view, [])


def edited_functions(directory: RunDir) -> frozenset[bytes]:
    """Return the digests of the functions that were edited since they had results."""
    from ..launch import edited

    info = moved.to_look(directory)
    if info.recorded_code:  # the code is that of before, whatever is on the disk
        return frozenset()
    _, functions = edited.survey(directory, unsafe_filesystem=info.unsafe_filesystem)
    found = edited.find(directory, info, functions, as_before=True)
    return frozenset(one.function.digest for one in found if one.concerns)


def dry_run(directory: RunDir) -> list[Plain]:
    """Say, function by function, what a resumed run would reuse and what would run again."""
    changed = edited_functions(directory)
    with reading(directory) as read:
        return by_function(read.book, read.view, changed)


# ---- a run -------------------------------------------------------------------------------------


def overview(read: Read, changed: Collection[bytes] = ()) -> Plain:
    """Return all departures of a run, and all that would run again, by reason."""
    reasons = Reasons(read.book, read.view, changed)
    found = [_departure(read, reasons, parent, one) for parent, one in reasons.departures]
    for place, (_, one) in zip(found[:MOST_DIFFS], reasons.departures, strict=False):
        read.ask(place, ask.calls(_call(read, *one.old), _call(read, *one.new)))
    for seq, m in read.book.strays:
        found.append(_stray(read.book, m))
        read.ask(found[-1], _kept(read, seq, m))
    return {
        "run": read.run,
        "script": Path(read.info.script).name,
        "mismatches": departures.total(read.book),
        "departures": found,
        "again": by_reason(reasons, read.book),
        "means": MEANS,
    }


def _departure(read: Read, reasons: Reasons, parent: bytes, one: Departure) -> Plain:
    return {
        "task": naming.name(read.book, *one.new),
        "in_place_of": naming.name(read.book, *one.old),
        "parent": _who(read, parent),
        "ordinal": one.ordinal,
        "function_old": read.book.function_of(*one.old),
        "function_new": read.book.function_of(*one.new),
        "reason": reasons.of_departure(one),
        "count": 1,
    }


def _stray(book: Book, m: Departed) -> Plain:
    """Return what is kept of a departure whose tasks are not in the journal (any more)."""
    return {
        "task": m.task,
        "in_place_of": "",
        "parent": {"task": m.task.rpartition(".")[0], "function": m.parent_function},
        "ordinal": m.ordinal,
        "function_old": book.function_name(m.old_function),
        "function_new": book.function_name(m.new_function),
        "reason": "",
        "count": m.count,
    }


def _kept(read: Read, seq: int, m: Departed) -> Pair | None:
    """Return the two calls that a record of a departure holds."""
    if not m.old_bytes:
        return None
    record = read.view.record(seq)
    payload, buffers = bytes(record.payload), [bytes(part) for part in record.buffers]
    old = _kept_call(read, m.old_function, payload[: m.old_bytes], buffers[: m.old_buffers])
    new = _kept_call(read, m.new_function, payload[m.old_bytes :], buffers[m.old_buffers :])
    return ask.calls(old, new)


def _kept_call(read: Read, function: bytes, payload: bytes, buffers: list[bytes]) -> Call:
    seq, name = read.book.functions[function]
    return Call(name, bytes(read.view.record(seq).payload), payload, buffers)


def _plain(found: Difference) -> Plain:
    where = [{"where": place, "old": old, "new": new} for place, old, new in found.where]
    return {"old": found.old, "new": found.new, "differs": where}


# ---- a task ------------------------------------------------------------------------------------


def of_task(read: Read, text: str, changed: Collection[bytes] = ()) -> Plain:
    """Return what a task is, what happened to it, and what a resume would do with it."""
    strays = [(seq, m) for seq, m in read.book.strays if m.task == text]
    try:
        batch, index = naming.locate(read.book, text)
    except RunError:
        if not strays:
            raise
        return _only_stray(read, strays)
    reasons = Reasons(read.book, read.view, changed)
    call: Plain = {}
    read.ask(call, ask.calls(_call(read, batch, index)))
    return {
        **_identity(read, batch, index),
        "call": call,
        "state": state_of(batch, index),
        "history": history.of(read.reader, batch, index),
        "departed": _departed(read, reasons, batch, index) or _kept_of(read, strays),
        **_after(reasons.of(batch, index), is_left=batch.is_displaced(index)),
    }


def _departed(read: Read, reasons: Reasons, batch: Batch, index: int) -> Plain | None:
    for parent, one in reasons.departures:
        if (batch, index) in (one.old, one.new):
            found = _departure(read, reasons, parent, one)
            read.ask(found, ask.calls(_call(read, *one.old), _call(read, *one.new)))
            return found
    return None


def _kept_of(read: Read, strays: list[tuple[int, Departed]]) -> Plain | None:
    if not strays:
        return None
    found = _stray(read.book, strays[0][1])
    read.ask(found, _kept(read, *strays[0]))
    return found


def _identity(read: Read, batch: Batch, index: int) -> Plain:
    chain = []
    parent = batch.parent
    while parent != ROOT_ID and (above := read.book.task(parent)) is not None:
        chain.append(_who(read, parent))
        parent = above[0].parent
    place = ordinal_of(read.book, batch, index)
    return {
        "run": read.run,
        "task": naming.name(read.book, batch, index),
        "id": f"{short(batch.id)}:{index}",  # as errors name it
        "ordinal": place if place >= 0 else batch.first + index,
        "function": read.book.function_of(batch, index),
        "parents": [*reversed(chain)],
    }


def _only_stray(read: Read, strays: list[tuple[int, Departed]]) -> Plain:
    """Return what is known of a call of which there is no task in the journal."""
    m = strays[0][1]
    return {
        "run": read.run,
        "task": m.task,
        "id": "",
        "ordinal": m.ordinal,
        "function": read.book.function_name(m.new_function),
        "parents": [],
        "call": {},
        "state": "",
        "history": [],
        "departed": _kept_of(read, strays),
        "again": False,
        "reason": "",
        "why": "",
    }


def _after(why: Why | None, *, is_left: bool) -> Plain:
    """Say what a resume would do."""
    if is_left:
        return {"again": False, "reason": "", "why": "its parent does not ask for it any more"}
    if why is None:
        return {"again": False, "reason": "", "why": "its result is recorded and is reused"}
    return {"again": True, "reason": why.reason, "why": MEANS[why.reason]}


def _who(read: Read, parent: bytes) -> Plain:
    name, function = naming.of_parent(read.book, parent)
    return {"task": name, "function": function}


def _call(read: Read, batch: Batch, index: int) -> Call:
    return call_of(read.book, read.view, Content.of(read.view, batch), index)
