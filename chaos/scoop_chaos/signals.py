"""Signals to processes that may have gone meanwhile."""

from __future__ import annotations

import os


def send(pid: int, number: int) -> bool:
    """Send a signal to a process; tell whether it was there: gone is what a kill wants."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
