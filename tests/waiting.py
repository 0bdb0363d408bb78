"""Waits until something is so; a test that waits for nothing fails, and says for what.

Looks again and again; what is looked at is the caller's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

LIMIT_S: Final = 60.0
POLL_S: Final = 0.002

T = TypeVar("T")


def eventually(
    truth: Callable[[], T], what: Callable[[], object] | None = None, within_s: float = LIMIT_S
) -> T:
    """Wait until something is true, and return it.

    Parameters
    ----------
    truth : callable
        What is to be true.
    what : callable, optional
        Gives what is shown when it never was.
    within_s : float, optional
        How many seconds it may take.
    """
    deadline = time.monotonic() + within_s
    while not (value := truth()):
        assert time.monotonic() < deadline, _failed(what, within_s)
        time.sleep(POLL_S)
    return value


def _failed(what: Callable[[], object] | None, within_s: float) -> str:
    shown = "" if what is None else f": {what()}"
    return f"it did not happen within {within_s:g} s{shown}"
