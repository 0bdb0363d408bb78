"""How many tasks a span gets: guided self-scheduling on what functions have cost so far.

Pure arithmetic: no state but the costs seen, no I/O, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from .tasks import Batch

SPAN_S: Final = 0.05  # a span is worth about this much work
LEAST_S: Final = 0.002  # a smaller share than this is not worth a message
PREFETCH_S: Final = 0.025  # a worker with less work than this in hand gets its next span
SPAN_BYTES: Final = 4 << 20  # a span of many tasks carries no more payload than this
CARRY_BYTES_S: Final = 320e6  # in hand, bytes count as the time in which so many are carried
UNKNOWN_S: Final = 1.0  # what a task of a function never seen is expected to take
GAIN: Final = 0.5  # weight of the newest report in a function's cost
SAMPLES: Final = 32  # reports from which it is told what is usual
FEWEST: Final = 5  # with less nobody knows
LONG: Final = 2.0  # times what nine of ten have taken: long


class Costs:
    """What tasks of each function have taken and returned: exponentially weighted means."""

    def __init__(self) -> None:
        self._seconds: dict[bytes, float] = {}
        self._last: dict[bytes, deque[float]] = {}  # the newest reports of each
        self._least = UNKNOWN_S  # that a function was ever expected to take

        self._bytes: dict[bytes, float] = {}

    def report(self, function: bytes, tasks: int, seconds: float, size: float = 0.0) -> float:
        """``tasks`` calls took ``seconds`` in all, and returned ``size`` bytes each.

        Returns how many times as long as usual they took.
        """
        each, usual = seconds / tasks, self.usual(function)
        known = self._seconds.get(function)
        now = self._seconds[function] = each if known is None else known + GAIN * (each - known)
        self._least = min(self._least, now)
        before = self._bytes.get(function, size)
        self._bytes[function] = before + GAIN * (size - before)
        self._last.setdefault(function, deque(maxlen=SAMPLES)).append(each)
        return each / usual if usual else 1.0

    def forget(self, functions: Iterable[bytes]) -> None:
        """These are called no more."""
        for function in functions:
            for known in (self._seconds, self._last, self._bytes):
                known.pop(function, None)

    def usual(self, function: bytes) -> float:
        """Return what a call usually takes, whatever a slow worker says; 0.0: nobody knows yet."""
        return self._quantile(function, 0.5)

    def long(self, function: bytes) -> float:
        """Return what few calls take."""
        return LONG * self._quantile(function, 0.9)

    def _quantile(self, function: bytes, share: float) -> float:
        last = self._last.get(function, ())
        return sorted(last)[int(share * len(last))] if len(last) >= FEWEST else 0.0

    def of(self, function: bytes) -> float:
        """Return the expected seconds of a call."""
        return self._seconds.get(function, UNKNOWN_S)

    def most(self, share: int) -> int:
        """Return how many tasks no span exceeds, whatever they are calls of."""
        least = max(self._least, 1e-9)
        return 1 + min(max(share, int(LEAST_S / least), 1), int(SPAN_S / least))

    def in_hand(self, batch: Batch) -> float:
        """Return what a task of a batch counts with who has it: its time, and that of its bytes."""
        return self.of(batch.functions[0]) + self._carried(batch) / CARRY_BYTES_S

    def _carried(self, batch: Batch) -> float:
        """Return the bytes of a task's arguments, and of the result that is expected."""
        return batch.payload_bytes / batch.count + self._bytes.get(batch.functions[0], 0.0)

    def span(
        self, batch: Batch, which: memoryview | None, start: int, stop: int, share: int,
        drag: float = 1.0,
    ) -> tuple[int, float]:  # fmt: skip
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
        drag : float
            How many times as long as others the worker takes.

        Returns
        -------
        stop : int
        cost : float
            Expected seconds of one of these tasks.
        """
        first = batch.functions[which[start] if which is not None else 0]
        least = int(LEAST_S / max(self.of(first), 1e-9))
        most = min(stop - start, max(share, least, 1))
        most = min(most, max(int(SPAN_BYTES / max(self._carried(batch), 1.0)), 1))
        if which is None:
            cost = self.of(first) * drag
            return start + max(1, min(most, int(SPAN_S / max(cost, 1e-9)))), cost
        total, index = 0.0, start
        while index < start + most and (index == start or total < SPAN_S):
            cost = self.of(batch.functions[which[index]]) * drag
            if index > start and total + cost > SPAN_S:
                break
            total += cost
            index += 1
        return index, total / (index - start)
