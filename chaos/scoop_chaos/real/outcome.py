"""What goes into a trial and what comes out of it.  Only data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..faults import Fault
from ..violations import Violation
from .account import Account
from .plan import TrialPlan
from .recovery import Times

#: Told each event, as a line.
Emit = Callable[[str], None]


class Answer(NamedTuple):
    """What a program prints when nothing is broken, and how long that takes."""

    text: str
    seconds: float


@dataclass
class Outcome:
    """What came of a trial."""

    plan: TrialPlan
    folder: Path
    faults: Counter[Fault] = field(default_factory=Counter)
    account: Account = field(default_factory=Account)
    times: Times = field(default_factory=Times)
    violations: list[Violation] = field(default_factory=list)
    resumes: int = 0
    seconds: float = 0.0
