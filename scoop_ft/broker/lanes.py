"""Queued tasks that ask for something: an order, resources, or not to be begun twice.

A lane holds what asks for the same.  Those of higher priority stand before all that asks for
nothing, and so do those that few workers can run; those of lower priority stand behind.  What asks
for resources, or may not be begun twice, is given out one by one to workers that have nothing to
do: so a worker that has it is about to run it.  Entries are hints, as in `ready`.  No I/O, no
clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import structs

from ..wire.messages import PLAIN, Options

if TYPE_CHECKING:
    from .tasks import Batch

Needs = tuple[tuple[str, int], ...]
_QUEUED: Final = 1  # `tasks.QUEUED`, which stands on this file


class Lane(NamedTuple):
    """What the tasks of a lane ask for; lanes sort in the order in which they are looked at."""

    rank: int  # lower ones first
    anywhere: bool  # it needs nothing
    several: bool  # several may be given to a worker at once
    needs: Needs

    @property
    def single(self) -> bool:
        """Are they given out one by one?"""
        return not self.several


def without_keys(options: Options) -> Options:
    """Return what there is to know of options once their tasks were compared."""
    if options.keys:
        options = structs.replace(options, keys=b"")
    return PLAIN if options == PLAIN else options


def lane_of(options: Options) -> Lane:
    """Return where tasks with these options wait."""
    needs = tuple(sorted(options.resources.items()))
    return Lane(-options.priority, not needs, options.repeatable and not needs, needs)


def is_special(options: Options) -> bool:
    """Do tasks with these options wait in a lane?"""
    return bool(options.priority or options.resources or not options.repeatable)


def has(resources: Mapping[str, int], needs: Needs) -> bool:
    """Has a worker what is needed?"""
    return all(resources.get(name, 0) >= number for name, number in needs)


def called(needs: Needs) -> str:
    """Return what is needed, for people: ``gpu=1``."""
    return ",".join(f"{name}={number}" for name, number in needs)


class Lanes:
    """All lanes in which something may wait."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[tuple[Batch, int, int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def add(self, batch: Batch, start: int, stop: int, options: Options, *, first: bool) -> None:
        """Queue a span whose tasks have just become queued; ``first``: before the others."""
        spans = self._lanes.setdefault(lane_of(options), deque())
        (spans.appendleft if first else spans.append)((batch, start, stop))

    def in_order(self, *, urgent: bool) -> list[Lane]:
        """Return the lanes that go before what asks for nothing, or those behind it."""
        return sorted(lane for lane in self._lanes if (lane.rank <= 0) == urgent)

    def next(self, lane: Lane) -> tuple[Batch, int, int] | None:
        """Return the first queued stretch of a lane without taking it.

        What has killed a worker comes by itself.
        """
        spans = self._lanes[lane]
        while spans:
            batch, first, stop = spans[0]
            at = batch.state.find(_QUEUED, first, stop)
            if at < 0:
                spans.popleft()
                continue
            end, options = next((b, options) for _, b, options in batch.alike(at, stop))
            if lane_of(options) != lane:  # it has others since: it is in their lane
                spans[0] = (batch, end, stop)
                if end == stop:
                    spans.popleft()
                continue
            end = min(end, next(batch.runs(at, stop))[1])
            spans[0] = (batch, at, stop)
            suspects = (index for index in batch.attempts if at < index < end)
            return batch, at, at + 1 if at in batch.attempts else min(suspects, default=end)
        del self._lanes[lane]
        return None

    def take(self, lane: Lane, stop: int) -> None:
        """Take the stretch just returned, up to ``stop``."""
        spans = self._lanes[lane]
        batch, _, end = spans[0]
        if stop >= end:
            spans.popleft()
        else:
            spans[0] = (batch, stop, end)

    def spans(self) -> list[tuple[Batch, int, int]]:
        """Return all entries, in no promised order."""
        return [span for spans in self._lanes.values() for span in spans]

    def waiting(self) -> Iterator[tuple[Lane, int]]:
        """Yield for each lane how many tasks wait in it, those that wait twice counted twice."""
        for lane, spans in self._lanes.items():
            yield lane, sum(batch.state.count(_QUEUED, a, b) for batch, a, b in spans)


def unmet(lanes: Lanes, workers: list[Any]) -> str:
    """Say what tasks need that no connected worker has; empty when there is nothing."""
    missing = [
        f"{count:,} {'task needs' if count == 1 else 'tasks need'} {called(lane.needs)}"
        for lane, count in lanes.waiting()
        if count and lane.needs
        and not any(peer.connected and has(peer.resources, lane.needs) for peer in workers)
    ]  # fmt: skip
    return "; ".join(missing) + "; no worker has it" if missing else ""
