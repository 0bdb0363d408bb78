"""Signals to processes that may have gone meanwhile, and the choice of whom they meet."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .plan import Drawn


def choose(pids: Sequence[int], drawn: Drawn) -> int | None:
    return pids[int(drawn.victim * len(pids))] if pids else None


def send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
