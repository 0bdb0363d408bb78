"""The global generators in a run whose seed was given: each task finds them seeded for itself.

They belong to the process, and its tasks share it: one that waits leaves them to others, and finds
them as it left them when it goes on.  Nothing is saved or put back while nobody else has used them.
A run without ``--seed`` makes no object of this kind.
"""

from __future__ import annotations

from .. import global_random
from ..randomness import GLOBALS, number


class Seeding:
    """Whose the global generators of this worker are, and how others have left them.

    Tasks are known by what runs them (a runner); that runs one task at a time.
    """

    def __init__(self) -> None:
        global_random.follow_numpy()
        self._owner: object | None = None
        self._left: dict[object, global_random.State] = {}

    def take(self, who: object) -> None:
        """Somebody's code is going to run: first, or again after others."""
        if self._owner is who:
            return
        if self._owner is not None:
            self._left[self._owner] = global_random.state()
        self._owner = who
        left = self._left.pop(who, None)
        if left is not None:
            global_random.restore(left)

    def begin(self, seed: int, lineage: bytes) -> None:
        """A task of the owner begins."""
        global_random.seed(number(seed, lineage, GLOBALS))

    def give_up(self, who: object) -> None:
        """The owner has ended its tasks: how it leaves them is of no use to anybody."""
        if self._owner is who:
            self._owner = None
