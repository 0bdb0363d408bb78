"""What a script printed, with and without kills: the same, or where it differs.

A script that is killed and started again prints again what it had printed.  What tasks print is
left out: it comes in any order, and again when they are run again.  Only texts; decides nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Container
from enum import Enum

WIDTH = 90
LINES = 6


class Printed(Enum):
    """How two outputs compare."""

    SAME = "the same"
    OTHER_ORDER = "the same lines in another order"
    OTHER = "something else"


def own(text: str, of_tasks: Container[str]) -> str:
    """Leave out the lines that tasks have printed."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.rstrip("\r\n") not in of_tasks)


def compare(expected: str, everything: str, last: str) -> Printed:
    """Compare an undisturbed output with another one.

    Parameters
    ----------
    expected : str
        The undisturbed one.
    everything, last : str
        The other one, and that part of it which the script's last start has printed.
    """
    if expected == last or (expected and everything.endswith(expected)):
        return Printed.SAME
    for text in (last, everything):
        if set(text.splitlines()) == set(expected.splitlines()):
            return Printed.OTHER_ORDER
    return Printed.OTHER


def difference(expected: str, last: str) -> list[str]:
    """Return the lines that differ, as `diff` marks them: a few, cut to size."""
    lines = [
        line[:WIDTH] + "…" * (len(line) > WIDTH)
        for line in difflib.unified_diff(expected.splitlines(), last.splitlines(), n=0, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    more = len(lines) - LINES
    return [*lines[:LINES], f"… and {more} lines more"] if more > 0 else lines
