"""Evolve a string of ones with DEAP: a library that takes a `map` takes ours.

Shows ``toolbox.register("map", futures.map)``.  Selection, crossover and mutation draw from
`random` in the script itself, which scoop-ft seeds for the run: interrupted and resumed, the
population is the same in the end, gene by gene.

    scoop-ft run --seed 7 docs/examples/onemax_deap.py
"""

import argparse
import hashlib
import random

from deap import algorithms, base, creator, tools

from scoop_ft import futures

creator.create("Fitness", base.Fitness, weights=(1.0,))
creator.create("Individual", list, fitness=creator.Fitness)


def evaluate(individual: list[int], effort: int) -> tuple[int]:
    """Count the ones; `effort` stands for the simulation that yours would be."""
    for _ in range(effort):
        ones = sum(individual)
    return (ones,)


def make_toolbox(genes: int, effort: int) -> base.Toolbox:
    toolbox = base.Toolbox()
    toolbox.register("gene", random.randint, 0, 1)
    toolbox.register("individual", tools.initRepeat, creator.Individual, toolbox.gene, genes)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", evaluate, effort=effort)
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutFlipBit, indpb=0.02)
    toolbox.register("select", tools.selTournament, tournsize=3)
    toolbox.register("map", futures.map)
    return toolbox


def main() -> None:
    parser = argparse.ArgumentParser(description="Evolve a string of ones.")
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--population", type=int, default=300)
    parser.add_argument("--genes", type=int, default=100)
    parser.add_argument("--effort", type=int, default=3000, help="rounds of each evaluation")
    args = parser.parse_args()

    toolbox = make_toolbox(args.genes, args.effort)
    population = toolbox.population(n=args.population)
    population, _ = algorithms.eaSimple(
        population, toolbox, cxpb=0.5, mutpb=0.2, ngen=args.generations, verbose=False
    )
    best = tools.selBest(population, 1)[0]
    digest = hashlib.sha256(bytes(gene for one in population for gene in one)).hexdigest()
    print(f"best fitness {best.fitness.values[0]:.0f} of {args.genes}")
    print(f"population {digest[:16]}")


if __name__ == "__main__":
    main()
