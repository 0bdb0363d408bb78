"""What must be so in a broker after every step: the whole state, looked at from all sides.

Pure: reads the broker and its journal, changes nothing, and is never called in production.  Tests
and simulators call it after each step; it costs time in proportion to everything there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..ids import ROOT_ID, split_task_id, task_id
from ..wire.codec import decode_header
from ..wire.messages import Checkpoint, Results, Step, Submit
from .code import blob_name
from .core import Broker
from .families import Family
from .holders import Holders
from .tasks import DONE, FAILED, LEASED, NAMES, QUEUED, VOID, Batch


def violations(broker: Broker) -> list[str]:
    """Return a line for each thing that is not as it must be."""
    return [
        *_tally(broker),
        *_batches(broker),
        *_families(broker),
        *_leases(broker),
        *_queue(broker),
        *_results(broker),
        *_kept(broker),
        *_peers(broker),
        *_code(broker),
    ]


def _code(b: Broker) -> Iterator[str]:
    """Each file of the user's code that is recorded has its bytes."""
    for name, entry in b.book.code.recorded.items():
        if not b.journal.has_blob(blob_name(entry.ref.digest)):
            yield f"the code of {name} has no bytes"


def _tally(b: Broker) -> Iterator[str]:
    """The tally is the sum of all states."""
    counts: Counter[int] = Counter()
    for batch in b.book.batches.values():
        counts.update(batch.state)
    for state, name in enumerate(NAMES):
        if counts[state] != b.book.tally.of(state):
            yield f"the tally has {b.book.tally.of(state)} {name} tasks, there are {counts[state]}"


def _batches(b: Broker) -> Iterator[str]:
    """Each batch has its record, its functions, and its place in a family."""
    with b.journal.reading() as view:
        for batch in b.book.batches.values():
            if decode_header(view.header(batch.seq), Submit).batch != batch.id:
                yield f"{batch!r}: record {batch.seq} is another batch"
            for function in batch.functions:
                if function not in b.book.functions:
                    yield f"{batch!r}: its function {function.hex()} is not recorded"
            family = b.book.families.get(batch.parent)
            if family is None or family.batches.get(batch.id) is not batch:
                yield f"{batch!r} is not in its family"
            for index in batch.families:
                if task_id(batch.id, index) not in b.book.families:
                    yield f"{batch!r}: task {index} is said to have children and has none"


def _families(b: Broker) -> Iterator[str]:
    for parent, family in b.book.families.items():
        if parent != ROOT_ID:
            found = b.book.task(parent)
            if found is None or found[1] not in found[0].families:
                yield f"the family of {parent.hex()} has no parent"
            elif found[0].state[found[1]] == DONE:
                yield f"the family of {parent.hex()} outlived it"
        for name in family.batches:
            if name not in b.book.batches:
                yield f"the family of {parent.hex()} has a batch that is in no book"
        yield from _segments(family)
        unclaimed = {batch.id for batch in family.batches.values() if batch.claimed is not None}
        if unclaimed != family.unclaimed:
            yield f"the family of {parent.hex()}: the unclaimed batches are others than it says"


def _segments(family: Family) -> Iterator[str]:
    """Segments grow without overlap, and no task is the child of two ordinals."""
    last = 0
    seen: set[tuple[bytes, int]] = set()
    for segment in family.segments:
        if segment.first < last or segment.count < 1:
            yield f"{segment!r} overlaps the one before it"
        last = segment.stop
        if family.batches.get(segment.batch.id) is not segment.batch:
            yield f"{segment!r} is of another family"
        for index in range(segment.index, segment.index + segment.count):
            if index >= segment.batch.count or segment.batch.state[index] == VOID:
                yield f"{segment!r}: task {index} cannot be anybody's child"
            if (segment.batch.id, index) in seen:
                yield f"{segment!r}: task {index} is the child of two ordinals"
            seen.add((segment.batch.id, index))
    for batch in family.batches.values():
        for index, ordinal in enumerate(batch.places or ()):
            if ordinal >= 0 and family.find(ordinal) != (batch, index):
                yield f"{batch!r}: task {index} is not found at its place"
            if ordinal < 0 and (batch.id, index) in seen:
                yield f"{batch!r}: task {index} has a place and does not know it"
        places = [s for s in family.segments if s.batch is batch]
        whole = [(s.first, s.index) for s in places] and all(
            s.first - s.index == batch.first for s in places
        )
        covered = sum(s.count for s in places) == batch.count
        if batch.intact and not (whole and covered):
            yield f"{batch!r} is not intact"


def _leases(b: Broker) -> Iterator[str]:
    """Each leased task is held by exactly one known worker, and only leased tasks are held."""
    held: Counter[tuple[bytes, int]] = Counter()
    holders: dict[bytes, Holders] = {}
    for session, peer in b.peers.items():
        load = 0
        for name, start, stop in peer.held():
            load += stop - start
            batch = b.book.batches.get(name)
            if batch is None or stop > batch.count:
                yield f"{session.hex()} holds tasks that are in no book"
                continue
            holders.setdefault(name, Holders()).add(start, stop, session)
            for index in range(start, stop):
                held[name, index] += 1
                if batch.state[index] != LEASED:
                    yield f"{batch!r}: task {index} is held and {NAMES[batch.state[index]]}"
        if load != peer.load:
            yield f"{session.hex()} has {load} tasks and not {peer.load}"
        if load and peer.role != "worker":
            yield f"{session.hex()} holds tasks and is no worker"
    for batch in b.book.batches.values():
        if batch.holders.leases() != holders.get(batch.id, Holders()).leases():
            yield f"{batch!r}: its holders are others than it says"
        for index, state in enumerate(batch.state):
            if state == LEASED and held[batch.id, index] != 1:
                yield f"{batch!r}: task {index} is leased to {held[batch.id, index]} workers"


def _queue(b: Broker) -> Iterator[str]:
    """Each queued task will be found, and somebody asks for it."""
    reach: dict[bytes, set[int]] = {}
    for batch, start, stop in b.ready.spans():
        reach.setdefault(batch.id, set()).update(range(start, stop))
    for batch in b.book.batches.values():
        queued = [index for index, state in enumerate(batch.state) if state == QUEUED]
        lost = set(queued) - reach.get(batch.id, set())
        if lost:
            yield f"{batch!r}: tasks {sorted(lost)} are queued and in no queue"
        if not all(map(batch.is_claimed, queued)):
            yield f"{batch!r}: tasks are queued that nobody asks for"
        if queued and not b.book.families[batch.parent].host:
            yield f"{batch!r}: tasks are queued whose parent runs nowhere"


def _results(b: Broker) -> Iterator[str]:
    """Each finished task has one result that can be read, and no other task has one."""
    with b.journal.reading() as view:
        for batch in b.book.batches.values():
            places: Counter[int] = Counter()
            for start, stop, seq, _ in batch.results:
                places.update(range(start, stop))
                yield from _record(view, batch, start, stop, seq)
            for index, state in enumerate(batch.state):
                wanted = 1 if state in (DONE, FAILED) else 0
                if places[index] != wanted:
                    yield f"{batch!r}: task {index}, {NAMES[state]}, has {places[index]} results"
            if batch.results != sorted(batch.results):
                yield f"{batch!r}: its results are not in order"


def _record(view: Any, batch: Batch, start: int, stop: int, seq: int) -> Iterator[str]:
    header = decode_header(view.header(seq), Results)
    if header.batch != batch.id:
        yield f"{batch!r}: record {seq} holds results of another batch"
    if not any(low <= start and stop <= high for low, high in header.ranges):
        yield f"{batch!r}: record {seq} does not hold the results {start} to {stop}"


def _kept(b: Broker) -> Iterator[str]:
    """What is kept is of tasks that may run again, and recorded."""
    for batch in b.book.batches.values():
        for index in batch.kept:
            if task_id(batch.id, index) not in b.book.kept:
                yield f"{batch!r}: task {index} is said to have kept something, and has not"
    with b.journal.reading() as view:
        for parent, kept in b.book.kept.items():
            found = None if parent == ROOT_ID else b.book.task(parent)
            if parent != ROOT_ID and (found is None or found[1] not in found[0].kept):
                yield f"something is kept of {parent.hex()}, which is no task"
            elif found is not None and found[0].state[found[1]] == DONE:
                yield f"something is kept of {parent.hex()}, which is done"
            for seq, _ in kept.records():
                checkpoint = kept.checkpoint is not None and seq == kept.checkpoint.seq
                kind = Checkpoint if checkpoint else Step
                if decode_header(view.header(seq), kind).parent != parent:
                    yield f"record {seq} is not what {parent.hex()} has kept"


def _peers(b: Broker) -> Iterator[str]:
    for number, session in enumerate(b.dispatcher.idle_sessions()):
        peer = b.peers.get(session)
        if peer is None or not peer.connected or not peer.idle:
            yield f"{session.hex()} ({number} in the queue of the idle) is not idle"
    for name, messages in b.orphans.items():
        if name in b.book.batches:
            yield f"messages wait for batch {name.hex()}, which is there"
        for session, message, _, _ in messages:
            peer = b.peers.get(session)
            n = getattr(message, "n", 0)
            if n and peer is not None and n not in peer.unsettled:
                yield f"{session.hex()}: message {n} waits for its batch and was acknowledged"
    for parent, family in b.book.families.items():
        found = None if parent == ROOT_ID else b.book.task(parent)
        if not family.host or found is None or found[0].state[found[1]] != LEASED:
            continue
        name, index = split_task_id(parent)
        host = b.peers.get(family.host)
        if host is None or not host.holds(b.book.batches[name], index):
            yield f"the family of {parent.hex()} is hosted where its parent does not run"
