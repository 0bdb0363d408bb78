"""When which process is killed: drawn from the seed, spread over the undisturbed run.

A moment is a number of finished tasks, and seconds after it: so it comes at the same place of the
work whether the machine is fast or slow, and also before the first task and after the last one.
Only draws; kills nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ..faults import Fault

KINDS = (Fault.WORKER_KILL, Fault.BROKER_KILL, Fault.ROOT_KILL, Fault.EVERYTHING_KILL)


@dataclass(frozen=True)
class Strike:
    """One kill of a round.

    Attributes
    ----------
    fault : Fault
        Who is killed.
    share : float
        When: after this share of the undisturbed run, for people.
    after_s : float
        The same in seconds.
    tasks, wait_s : int, float
        The same as so many seconds after so many tasks had finished.
    draw : float
        Below 1: which of several workers.
    """

    fault: Fault
    share: float
    after_s: float
    tasks: int
    wait_s: float
    draw: float


@dataclass
class Timeline:
    """How many tasks had finished when, in seconds since the first one was submitted."""

    points: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])
    end: float = 0.0

    def note(self, now: float, finished: int) -> None:
        """Take in what is finished now."""
        if finished > self.points[-1][1]:
            self.points.append((now, finished))
        self.end = max(self.end, now)

    def since(self, tasks: int) -> float | None:
        """Return when so many tasks had finished; None: they have not yet."""
        return next((when for when, finished in self.points if finished >= tasks), None)

    def at(self, share: float) -> tuple[int, float]:
        """Return the tasks that had finished after a share of the run, and since how long.

        Between two looks at many tasks it goes by their number.
        """
        moment = share * self.end
        place = max(k for k, point in enumerate(self.points) if point[0] <= moment)
        (when, tasks), after = self.points[place], self.points[place + 1 : place + 2]
        for later, more in after:
            if more - tasks > 1:
                return tasks + int((more - tasks) * (moment - when) / (later - when)), 0.0
        return tasks, moment - when


def draw(rng: random.Random, timeline: Timeline) -> list[Strike]:
    """Draw the kills of one round: each kind once, in any order, one in each part of the run."""
    kinds = rng.sample(KINDS, len(KINDS))
    strikes = []
    for place, fault in enumerate(kinds):
        share = (place + rng.uniform(0.1, 0.9)) / len(kinds)
        strikes.append(
            Strike(fault, share, share * timeline.end, *timeline.at(share), rng.random())
        )
    return strikes
