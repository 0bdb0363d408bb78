"""What ran how often: the lines that the programs' tasks leave, read back.

A line is ``name start-time pid``; the clock is the machine's monotonic one, so that a test can
compare a start with the moment at which it killed somebody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..waiting import eventually

LIMIT_S = 60.0
POLL_S = 0.002


@dataclass(frozen=True)
class Start:
    """One start of a task (or of a part of the script) in a process."""

    name: str
    at: float
    pid: int


class Ledger:
    """The file in which a run's programs note what they start."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger"

    def starts(self) -> list[Start]:
        """Return all starts so far, in order."""
        try:
            lines = self._path.read_text().split("\n")[:-1]  # the last is empty, or being written
        except FileNotFoundError:
            return []
        return [Start(name, float(at), int(pid)) for name, at, pid in map(str.split, lines)]

    def times(self) -> Counter[str]:
        """Return how often each name was started."""
        return Counter(start.name for start in self.starts())

    def again(self) -> dict[str, int]:
        """Return the names that were started more than once, and how often."""
        return {name: times for name, times in self.times().items() if times > 1}

    def wait(
        self, predicate: Callable[[list[Start]], object], limit: float = LIMIT_S
    ) -> list[Start]:
        """Wait until something is true of the starts; return them."""
        starts: list[Start] = []

        def so() -> object:
            starts[:] = self.starts()
            return predicate(starts)

        eventually(so, lambda: f"started: {starts[-10:]}", limit)
        return starts

    def wait_for(self, count: int, limit: float = LIMIT_S) -> list[Start]:
        """Wait until there are so many starts."""
        return self.wait(lambda starts: len(starts) >= count, limit)

    def wait_for_names(self, names: Iterable[str], limit: float = LIMIT_S) -> list[Start]:
        """Wait until all these were started."""
        wanted = set(names)
        return self.wait(lambda starts: wanted <= {start.name for start in starts}, limit)
