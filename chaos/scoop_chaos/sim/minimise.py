"""A failing seed made small: the fewest faults, then the smallest program, that still break it.

Greedy and deterministic: what is left out and still breaks the same invariant stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from .author import keys
from .plan import Plan, draw
from .world import Outcome, run

T = TypeVar("T")


def minimise(seed: int) -> Plan:
    """Return the smallest plan found that breaks what the seed breaks.

    Parameters
    ----------
    seed : int
        One whose world violates an invariant.

    Raises
    ------
    ValueError
        It does not.
    """
    found = run(draw(seed))
    if not found.violations:
        raise ValueError(f"seed {seed} breaks nothing")
    invariant = found.violations[0].invariant

    def breaks(strikes: Sequence[int], left_out: Sequence[str]) -> bool:
        plan = draw(seed, only=strikes, left_out=left_out)
        return bool(plan.program) and _breaks(run(plan), invariant)

    strikes = _fewest(
        [strike.number for strike in draw(seed).strikes], lambda some: breaks(some, ())
    )
    every = keys(draw(seed).program)
    kept = _fewest(every, lambda some: breaks(strikes, [k for k in every if k not in some]))
    left_out = [key for key in every if key not in kept]
    strikes = _fewest(strikes, lambda some: breaks(some, left_out))
    return draw(seed, only=strikes, left_out=left_out)


def _breaks(outcome: Outcome, invariant: int) -> bool:
    return any(violation.invariant == invariant for violation in outcome.violations)


def _fewest(items: list[T], breaks: Callable[[list[T]], bool]) -> list[T]:
    """Leave out halves, quarters, …, single ones, as long as it still breaks."""
    size = max(len(items) // 2, 1)
    while items and size:
        at = 0
        while at < len(items):
            fewer = items[:at] + items[at + size :]
            if breaks(fewer):
                items = fewer
            else:
                at += size
        size //= 2
    return items
