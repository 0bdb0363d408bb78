"""Looks for the first seed under which the simulator sees that a mutant is broken.

Each mutant is hunted in a process of a pool, started anew with hashes pinned, so that a seed means
the same in each.  Decides nothing about what a violation is: that is the simulator's.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from ..sim.plan import draw
from ..sim.world import run
from ..violations import Violation
from .mutant import Mutant


@dataclass(frozen=True)
class Hunt:
    """How one mutant was hunted.

    Attributes
    ----------
    mutant : Mutant or None
        None: the product as it is.
    seeds : int
        How many were run.
    violation : Violation or None
        What the last one found; None: nothing, the mutant survives.
    """

    mutant: Mutant | None
    seeds: int
    seconds: float
    violation: Violation | None


def hunt(mutant: Mutant | None, first: int, most: int) -> Hunt:
    """Run seeds against a mutant until one finds something.

    Parameters
    ----------
    mutant : Mutant or None
        None: the product as it is.
    first : int
        The first seed.
    most : int
        How many seeds to run at most.
    """
    began = time.perf_counter()
    with mutant.applied() if mutant is not None else nullcontext():
        for seed in range(first, first + most):
            found = run(draw(seed)).violations
            if found:
                return Hunt(mutant, seed - first + 1, time.perf_counter() - began, found[0])
    return Hunt(mutant, most, time.perf_counter() - began, None)


def _hunt(task: tuple[Mutant | None, int, int]) -> Hunt:
    return hunt(*task)


def hunt_all(
    mutants: Sequence[Mutant | None], first: int, most: int, processes: int
) -> Iterator[Hunt]:
    """Hunt many, in their order, in so many processes."""
    os.environ["PYTHONHASHSEED"] = "0"  # of the processes to come
    tasks = [(mutant, first, most) for mutant in mutants]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(_hunt, tasks)
