"""How many workers each machine gets.  Decides only."""

from __future__ import annotations

from dataclasses import dataclass

from ...machines import Machine, Machines
from .names import is_here


@dataclass(frozen=True)
class Share:
    """A machine and its number of workers; 0: one for each of its cores."""

    name: str
    workers: int


def divide(named: list[Machine], total: int) -> list[Share]:
    """Spread workers over machines.

    Parameters
    ----------
    named : list of Machine
        The machines, in order.
    total : int
        How many workers; 0: as many as there are written, or cores.

    Returns
    -------
    list of Share
        When ``total`` is more than what is written, one more each in turn, where there is no limit;
        when it is less, the last machines go without.
    """
    if not total:
        return [Share(one.name, one.count) for one in named]
    counts = [one.count or 1 for one in named]
    growing = [place for place, one in enumerate(named) if not one.limit]
    missing = max(0, total - sum(counts))
    for turn in range(missing if growing else 0):
        counts[growing[turn % len(growing)]] += 1
    for place in reversed(range(len(counts))):
        counts[place] -= min(counts[place], max(0, sum(counts) - total))
    return [Share(one.name, n) for one, n in zip(named, counts, strict=True) if n]


def most(named: list[Machine]) -> int:
    """Return how many workers the machines may have at most; 0: there is no limit."""
    return sum(one.count for one in named) if all(one.limit for one in named) else 0


def here(machines: Machines, cores: int) -> int:
    """Return how many workers this machine gets, which has so many cores."""
    shares = divide(machines.named, machines.total)
    return sum(share.workers or cores for share in shares if is_here(share.name))


def elsewhere(machines: Machines) -> list[Share]:
    """Return what the other machines get."""
    shares = divide(machines.named, machines.total)
    return [share for share in shares if not is_here(share.name)]
