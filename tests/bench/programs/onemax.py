"""DEAP's onemax with a fitness of a microsecond: the same evolution with `map` and `futures.map`.

Prints the seconds of each, in turn, as often as told, and the median of a map in milliseconds.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from deap import algorithms, base, creator, tools

from scoop_ft import futures

creator.create("Fitness", base.Fitness, weights=(1.0,))
creator.create("Individual", list, fitness=creator.Fitness)
maps_s: list[float] = []


def evaluate(individual: list[int]) -> tuple[int]:
    return (sum(individual),)


def mapped(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
    """Map on the workers, timed."""
    began = time.perf_counter()
    results = list(futures.map(function, items))
    maps_s.append(time.perf_counter() - began)
    return results


def evolve(map_: Callable[..., Any]) -> tuple[float, Any]:
    """Return how long it took, and the last population."""
    random.seed(7)
    toolbox = base.Toolbox()
    toolbox.register("gene", random.randint, 0, 1)
    toolbox.register("individual", tools.initRepeat, creator.Individual, toolbox.gene, 100)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", evaluate)
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutFlipBit, indpb=0.02)
    toolbox.register("select", tools.selTournament, tournsize=3)
    toolbox.register("map", map_)
    began = time.perf_counter()
    population, _ = algorithms.eaSimple(
        toolbox.population(n=300), toolbox, cxpb=0.5, mutpb=0.2, ngen=40, verbose=False
    )
    return time.perf_counter() - began, population


def main() -> None:
    evolve(mapped)  # every process is up, the function is known
    maps_s.clear()
    for _ in range(int(sys.argv[1])):
        alone, expected = evolve(map)
        took, found = evolve(mapped)
        assert found == expected
        print(alone, took)
    print(statistics.median(maps_s) * 1e3)


if __name__ == "__main__":
    main()
