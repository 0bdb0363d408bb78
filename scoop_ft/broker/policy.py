"""How many tasks a span gets: guided self-scheduling on what functions have cost so far.

Pure arithmetic: no state but the costs seen, no I/O, no clock.
"""

from __future__ import annotations

from typing import Final

from .tasks import Batch

SPAN_S: Final = 0.05  # a span is worth about this much work
LEAST_S: Final = 0.002  # a smaller share than this is not worth a message
PREFETCH_S: Final = 0.025  # a worker with less work than this in hand gets its next span
SPAN_BYTES: Final = 4 << 20  # a span of many tasks carries no more payload than this
UNKNOWN_S: Final = 1.0  # what a task of a function never seen is expected to take
GAIN: Final = 0.5  # weight of the newest report in a function's cost


class Costs:
    """What tasks of each function have taken: an exponentially weighted mean, in seconds."""

    def __init__(self) -> None:
        self._seconds: dict[bytes, float] = {}

    def report(self, function: bytes, tasks: int, seconds: float) -> None:
        """``tasks`` calls of a function took ``seconds`` in all."""
        each = seconds / tasks
        known = self._seconds.get(function)
        self._seconds[function] = each if known is None else known + GAIN * (each - known)

    def of(self, function: bytes) -> float:
        """Return the expected seconds of a call."""
        return self._seconds.get(function, UNKNOWN_S)

    def span(
        self, batch: Batch, which: memoryview | None, start: int, stop: int, share: int
    ) -> tuple[int, float]:
        """Choose the end of a span that begins at ``start``.

        Parameters
        ----------
        batch : Batch
        which : memoryview of u16, or None
            The function of each task of the batch; None: all the first.
        start, stop : int
            The tasks there are.
        share : int
            A worker's fair share of all that is queued.

        Returns
        -------
        stop : int
        cost : float
            Expected seconds of one of these tasks.
        """
        first = batch.functions[which[start] if which is not None else 0]
        least = int(LEAST_S / max(self.of(first), 1e-9))
        most = min(stop - start, max(share, least, 1))
        each = max(batch.payload_bytes // batch.count, 1)
        most = min(most, max(SPAN_BYTES // each, 1))
        if which is None:
            cost = self.of(first)
            return start + max(1, min(most, int(SPAN_S / max(cost, 1e-9)))), cost
        total, index = 0.0, start
        while index < start + most and (index == start or total < SPAN_S):
            cost = self.of(batch.functions[which[index]])
            if index > start and total + cost > SPAN_S:
                break
            total += cost
            index += 1
        return index, total / (index - start)
