"""What is known of a run when it is over: its ledger, what was done to it, what its journal held.

Only data; whoever plays the run writes it, and `account` reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from ..faults import Fault
from .ledger import Line
from .recorded import Recorded

HERE: Final = "here"  # the place of who runs on the run's own host


@dataclass
class Harm:
    """What was done to some processes, from a moment until another.

    Attributes
    ----------
    what : str
        ``killed``, ``left`` (told to), ``silent`` (stopped, or cut off), ``alone`` (no broker).
    fault : Fault
        By what.
    at, until : float
        Its time; infinite while it lasts.
    pids : frozenset of int
        Whom it met; empty: everybody of ``place``.
    place : str
        Where they are; empty: everywhere.
    """

    what: str
    fault: Fault
    at: float
    until: float = math.inf
    pids: frozenset[int] = frozenset()
    place: str = ""

    def hits(self, line: Line) -> bool:
        """Tell whether the process of a line was met."""
        if self.pids:
            return line.pid in self.pids
        return not self.place or line.place == self.place


@dataclass
class Story:
    """All that is known of one run.

    Attributes
    ----------
    lines : list of Line
        The ledger.
    harms : list of Harm
        What was done to it.
    looks : list of Recorded
        What the journal held at times.
    resumes : list of float
        When ``resume`` was typed.
    broker_deaths : list of float
        When a broker died, the launcher's deaths included.
    full : list of (float, float)
        When the disk was full.
    copies : int
        How many tasks its brokers say they have let run a second time beside a slow worker.
    """

    lines: list[Line] = field(default_factory=list)
    harms: list[Harm] = field(default_factory=list)
    looks: list[Recorded] = field(default_factory=list)
    resumes: list[float] = field(default_factory=list)
    broker_deaths: list[float] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)
    copies: int = 0
