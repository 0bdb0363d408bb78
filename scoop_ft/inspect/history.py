"""What the journal's records say of one task, in their order.

Records have no time of day; what no longer matters has left the journal (`docs/journal-format.md`).
"""

from __future__ import annotations

from typing import Any

from scoop_journal import Reader

from ..broker import records
from ..broker.records import Kind
from ..broker.tasks import Batch
from ..wire.codec import decode_header
from ..wire.messages import Results, Status, Submit

WORDS = {
    Status.OK: "done",
    Status.RAISED: "ended in an exception",
    Status.LOST: "given up: its workers had died, or its time limit was over",
    Status.CANCELLED: "cancelled",
}

Event = dict[str, Any]


def of(reader: Reader, batch: Batch, index: int) -> list[Event]:
    """Return what happened to a task: ``what``, and where there is one a ``detail``."""
    found: list[Event] = []
    crashes = 0
    for _, record in reader.scan(batch.seq):
        if record.kind == Kind.BATCH and decode_header(record.header, Submit).batch == batch.id:
            found.append({"what": "recorded", "detail": ""})
        elif record.kind == Kind.RESULTS:
            found += _result(decode_header(record.header, Results), batch, index)
        elif record.kind == Kind.CRASH:
            crash = records.decode_crash(record.header)
            if (crash.batch, crash.index) == (batch.id, index):
                crashes += 1
                found.append({"what": f"its worker died, attempt {crashes}", "detail": crash.what})
        elif record.kind == Kind.CHANGE:
            change = records.decode_change(record.header)
            if change.batch == batch.id and any(a <= index < z for a, z in change.ranges):
                found.append({"what": "asked for with other options", "detail": ""})
        elif record.kind == Kind.BIND:
            bind = records.decode_bind(record.header)
            found += [
                {"what": "asked for again", "detail": f"as ordinal {ordinal + index - first}"}
                for ordinal, count, name, first in bind.slots
                if name == batch.id and first <= index < first + count
            ]
        elif record.kind == Kind.RETRY:
            crashes = 0
            found.append({"what": "the run was resumed", "detail": ""})
    return found


def _result(m: Results, batch: Batch, index: int) -> list[Event]:
    if m.batch != batch.id:
        return []
    position = 0
    for start, stop in m.ranges:
        if start <= index < stop:
            status = m.status[position + index - start] if m.status else Status.OK
            took = f"{m.elapsed_ns / m.timed / 1e9:.3g} s" if m.timed else ""
            mean = f"took {took}" if m.timed == 1 else f"{m.timed} like it took {took} each"
            return [{"what": WORDS[Status(status)], "detail": mean if took else ""}]
        position += stop - start
    return []
