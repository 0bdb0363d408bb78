"""A long nested run, compressed in time: parents that come one wave after the other.

Each parent has many children, and some of these have children too.  In a wave of many parents each
worker is busy with its own; a parent that is alone in its wave has its children spread.
Prints how many tasks there were, the script's own included.
"""

from __future__ import annotations

import sys

from scoop_ft import futures

CHILDREN = 10_000
WAVE = 25
ALONE = 1  # of the parents of a wave, those that run alone
FANS = 10  # of the children of a parent that runs alone, those that have children


def leaf(number: int) -> int:
    """One of the millions."""
    return number & 7


def fan(number: int) -> int:
    """A child with children."""
    return sum(futures.map(leaf, range(number, number + 100)))


def parent(number: int) -> tuple[int, bytes]:
    """The total of many children, and a result of the size of a small record."""
    return sum(futures.map(leaf, range(number, number + CHILDREN))), number.to_bytes(4, "big") * 50


def mixed(number: int) -> tuple[int, bytes]:
    """The same, with children that have children."""
    total, blob = parent(number)
    return total + sum(futures.map(fan, range(number, number + FANS))), blob


def main(parents: int) -> None:
    """Run so many parents."""
    total = done = alone = 0
    while done < parents:
        for _ in range(min(ALONE, parents - done)):
            total += futures.submit(mixed, done).result()[0]
            done += 1
            alone += 1
        wave = range(done, min(done + WAVE - ALONE, parents))
        total += sum(result[0] for result in futures.map(parent, wave))
        done += len(wave)
    print(parents * (1 + CHILDREN) + alone * FANS * 101, total)


if __name__ == "__main__":
    main(int(sys.argv[1]))
