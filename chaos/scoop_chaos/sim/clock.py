"""Virtual time: what happens when, in one order that the seed decides.

`VirtualTime` stands in for the ``time`` module where the product reads a clock.  Nothing here
waits for real.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Clock:
    """The events to come, and the time.

    Attributes
    ----------
    now : float
        Seconds since the world began.
    events : int
        How many have happened.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Let something happen at a time (at once, where that has passed)."""
        self._count += 1
        heapq.heappush(self._heap, (max(time, self.now), self._count, call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Let something happen so much later."""
        self.at(self.now + seconds, call)

    def step(self) -> bool:
        """Let the next thing happen; False when there is nothing more."""
        if not self._heap:
            return False
        self.now, _, call = heapq.heappop(self._heap)
        self.events += 1
        call()
        return True


class HostClock:
    """A machine's monotonic clock: it may run fast or slow, and jump ahead, never back.

    Parameters
    ----------
    clock : Clock
    begin : float
        What it shows now.
    """

    def __init__(self, clock: Clock, begin: float) -> None:
        self._clock = clock
        self._shown = begin
        self._since = clock.now
        self._rate = 1.0

    def time(self) -> float:
        """Return what it shows."""
        return self._shown + (self._clock.now - self._since) * self._rate

    def jump(self, seconds: float) -> None:
        """It goes ahead at once."""
        self._shown += seconds

    def run_at(self, rate: float) -> None:
        """From now on a second takes so many."""
        self._shown, self._since, self._rate = self.time(), self._clock.now, rate


class VirtualTime:
    """What the product sees as the module ``time``.

    Attributes
    ----------
    clock : Clock
        That of the world that runs now.
    """

    def __init__(self) -> None:
        self.clock = Clock()

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.clock.now

    def perf_counter_ns(self) -> int:
        """Return the time in nanoseconds."""
        return int(self.clock.now * 1e9)


virtual_time = VirtualTime()
