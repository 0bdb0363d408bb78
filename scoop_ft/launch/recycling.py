"""When a worker has served long enough: after so many tasks, or with so much memory.

Decides only.  A worker counts its tasks itself, between two of them; its memory is looked at by
its agent, with each heartbeat.  Either way it retires when none of its tasks has begun and not
ended: it hands back what it holds, and another takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .growth import format_size

if TYPE_CHECKING:
    from .effects import Sight

SHORT_LIFE_S: Final = 10.0
SHORT_LIVES_SAID: Final = 3  # of those in a row, by one worker after another in one place


@dataclass(frozen=True)
class Limits:
    """What one process may do before another takes its place; 0: there is no limit.

    Attributes
    ----------
    tasks : int
        So many tasks, those of its own tasks included.
    memory_bytes : int
        Resident memory, its children's not included.
    """

    tasks: int = 0
    memory_bytes: int = 0

    def is_too_large(self, sight: Sight) -> bool:
        """Has a worker too much memory?  One that has done nothing yet would only come again."""
        return 0 < self.memory_bytes < sight.rss_bytes and sight.tasks_done > 0

    def complaint(self) -> str:
        """Say that workers reach their memory limit at once."""
        limit = format_size(self.memory_bytes)
        return (
            f"workers have more than {limit} of memory within seconds, and are replaced each time: "
            "is --max-memory-per-worker too small?"
        )


NO_LIMITS: Final = Limits()
