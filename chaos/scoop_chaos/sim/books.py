"""Two books of one run compared: what a broker knows, and what its journal would tell the next one.

Reads both, changes neither.  What nobody records (who holds what, what was given up) may differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from scoop_ft.broker.book import Book
from scoop_ft.broker.tasks import NAMES, UNFINISHED, Batch


def differences(live: Book, again: Book) -> Iterator[str]:
    """Yield what the second does not know as the first does."""
    for name in live.batches.keys() ^ again.batches.keys():
        yield f"batch {name.hex()} is in one book only"
    for name in live.batches.keys() & again.batches.keys():
        yield from _of_batch(live.batches[name], again.batches[name])
    yield from _differ("members", set(live.members), set(again.members))
    yield from _differ("constants", live.consts, again.consts)
    yield from _differ("functions", set(live.functions), set(again.functions))
    yield from _differ("exit codes", live.exit_code, again.exit_code)
    yield from _differ("what is kept", _kept(live), _kept(again))
    for parent, family in live.families.items():
        other = again.families.get(parent)
        here = [(s.first, s.count, s.batch.id, s.index) for s in family.segments]
        there = [(s.first, s.count, s.batch.id, s.index) for s in other.segments] if other else []
        yield from _differ(f"children of {parent.hex()}", here, there)
        last = other.author if other else b""
        yield from _differ(f"the last to submit for {parent.hex()}", family.author, last)


def _kept(book: Book) -> dict[bytes, Any]:
    """Return the checkpoint and the durable steps of each parent."""
    return {parent: (kept.checkpoint, kept.steps) for parent, kept in book.kept.items()}


def _of_batch(live: Batch, again: Batch) -> Iterator[str]:
    for index, (state, other) in enumerate(zip(live.state, again.state, strict=True)):
        if state != other and not (state in UNFINISHED and other in UNFINISHED):
            yield f"{live!r}: task {index} is {NAMES[state]}, and will be {NAMES[other]}"
    yield from _differ(f"attempts of {live!r}", live.attempts, again.attempts)
    yield from _differ(f"results of {live!r}", _joined(live.results), _joined(again.results))


def _joined(results: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return the same with neighbours of one record as one: how they came is nobody's business."""
    joined: list[tuple[int, int, int, int]] = []
    for start, stop, seq, size in results:
        if joined and joined[-1][1] == start and joined[-1][2] == seq:
            joined[-1] = (joined[-1][0], stop, seq, size)
        else:
            joined.append((start, stop, seq, size))
    return joined


def _differ(what: str, live: Any, again: Any) -> Iterator[str]:
    if live != again:
        yield f"{what}: {live}, and will be {again}"
