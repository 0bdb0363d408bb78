"""What a harness reports: the broken invariant, by its number in ``docs/invariants.md``, and how.

Only data; who finds violations is the harness's business.
"""

from __future__ import annotations

from typing import NamedTuple

LIVENESS = 23  # everything ends once the faults are over, and nothing waits in silence


class Violation(NamedTuple):
    """One invariant that did not hold.

    Attributes
    ----------
    invariant : int
        Its number.
    text : str
        What was seen, with the names of tasks and processes that it concerns.
    """

    invariant: int
    text: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.text}"
