"""The queue of spans that wait for a worker.

Entries are hints: whoever takes one checks what of it is still `QUEUED`.  Children of tasks stand
before children of the root (parents that wait hold memory), and what a lost worker held stands
before everything.  A task that was running when a worker died is kept apart: it is tried alone.

Tasks that ask for something (an order, resources, to be begun once) wait in `lanes`.

No I/O, no clock.
"""

from __future__ import annotations

from collections import deque

from ..ids import ROOT_ID
from .lanes import Lanes, is_special
from .tasks import QUEUED, Batch

Span = tuple[Batch, int, int]


class Ready:
    """Spans in the order in which they are to be run."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque()
        self._alone: deque[Span] = deque()
        self.lanes = Lanes()

    def add(self, batch: Batch, start: int, stop: int, *, first: bool = False) -> None:
        """Queue a span whose tasks have just become `QUEUED`."""
        if batch.special:
            for a, b, options in batch.alike(start, stop):
                if is_special(options):
                    self.lanes.add(batch, a, b, options, first=first)
                else:
                    self._add(batch, a, b, first=first)
        else:
            self._add(batch, start, stop, first=first)

    def _add(self, batch: Batch, start: int, stop: int, *, first: bool) -> None:
        if batch.attempts:
            start = self._split_suspects(batch, start, stop)
            if start == stop:
                return
        if first or batch.parent != ROOT_ID:
            self._spans.appendleft((batch, start, stop))
        else:
            self._spans.append((batch, start, stop))

    def _split_suspects(self, batch: Batch, start: int, stop: int) -> int:
        """Put tasks with crashes on their record aside; return where the rest begins."""
        for index in range(start, stop):
            if index in batch.attempts:
                self._alone.append((batch, index, index + 1))
                if index > start:
                    self._spans.appendleft((batch, start, index))
                start = index + 1
        return start

    def spans(self) -> list[Span]:
        """Return all entries, in no promised order."""
        return [*self._alone, *self._spans, *self.lanes.spans()]

    def next(self, most: int) -> Span | None:
        """Return the first queued stretch, of so many tasks at most, without taking it.

        What has become a suspect since it was queued is put aside too.
        """
        while (span := _first_queued(self._spans, most)) is not None and span[0].attempts:
            batch, start, stop = span
            if start not in batch.attempts:
                suspects = (index for index in batch.attempts if start < index < stop)
                return batch, start, min(suspects, default=stop)
            self._alone.append((batch, start, start + 1))
            self.take(start + 1)
        return span

    def next_alone(self) -> Span | None:
        """Return the first task to be tried alone without taking it."""
        return _first_queued(self._alone, 1)

    def take(self, stop: int, *, alone: bool = False) -> None:
        """Take the stretch just returned, up to ``stop``."""
        spans = self._alone if alone else self._spans
        batch, _, end = spans[0]
        if stop >= end:
            spans.popleft()
        else:
            spans[0] = (batch, stop, end)


def _first_queued(spans: deque[Span], most: int) -> Span | None:
    """Drop what is no longer queued from the front; return the first stretch that is."""
    while spans:
        batch, first, stop = spans[0]
        at = batch.state.find(QUEUED, first, stop)
        if at < 0:
            spans.popleft()
            continue
        first_run = next(batch.runs(at, min(at + most, stop)))
        spans[0] = (batch, at, stop)
        end = first_run[1]
        if batch.special:
            end, options = next((b, options) for _, b, options in batch.alike(at, end))
            if is_special(options):  # since it was queued: it is in its lane
                spans[0] = (batch, end, stop)
                continue
        return batch, at, end
    return None
