"""A genetic algorithm that saves its state after each generation: ``generations.py GENERATIONS``.

Prints how many tasks there were, and the best it has found.
"""

from __future__ import annotations

import random
import sys

from scoop_ft import checkpoint, futures

POPULATION = 4


def fitness(x: float) -> float:
    """How good it is."""
    return -((x - 0.3) ** 2)


def main(generations: int) -> None:
    """Run so many generations, those before the last checkpoint included."""
    state = checkpoint.load((0, [random.random() for _ in range(POPULATION)]))
    assert state is not None
    now, population = state
    while now < generations:
        scores = list(futures.map(fitness, population))
        best = population[scores.index(max(scores))]
        population = [best, *(random.gauss(best, 0.01) for _ in range(POPULATION - 1))]
        now += 1
        checkpoint.save((now, population), every=0)
    checkpoint.save((now, population), wait=True)
    print(generations * POPULATION, round(population[0], 3))


if __name__ == "__main__":
    main(int(sys.argv[1]))
