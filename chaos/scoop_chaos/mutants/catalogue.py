"""All mutants, in the order in which they are shown; those that no seed has caught stand apart."""

from __future__ import annotations

from typing import Final

from .broker import BROKER
from .endless import ENDLESS, RARELY
from .keeping import KEEPING, UNCAUGHT
from .missed import MISSED as OTHERS
from .mutant import Mutant
from .numbers import NUMBERS, RARE
from .peers import PEERS
from .recovery import RECOVERY

__all__ = ["MISSED", "MUTANTS"]

MISSED: Final[tuple[Mutant, ...]] = (*OTHERS, *UNCAUGHT, *RARE, *RARELY)
MUTANTS: Final[tuple[Mutant, ...]] = (
    *BROKER, *RECOVERY, *PEERS, *KEEPING, *NUMBERS, *ENDLESS
)  # fmt: skip
