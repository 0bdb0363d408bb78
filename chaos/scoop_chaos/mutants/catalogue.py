"""All mutants, in the order in which they are shown."""

from __future__ import annotations

from typing import Final

from .broker import BROKER
from .mutant import Mutant
from .peers import PEERS
from .recovery import RECOVERY

MUTANTS: Final[tuple[Mutant, ...]] = (*BROKER, *RECOVERY, *PEERS)
