"""Run an ensemble of stochastic epidemics: a long study, as it would be written anyway.

Shows numpy in tasks, results as they come (`futures.map_as_completed`) and a generator for each
member, ``default_rng([seed, member])``: the ensemble does not depend on who computed what, when or
how often.

    scoop-ft run docs/examples/epidemic.py
    scoop-ft run docs/examples/epidemic.py --members 100000 --people 1000000
"""

import argparse
from dataclasses import dataclass

import numpy as np

from scoop_ft import futures


@dataclass(frozen=True)
class Disease:
    """Rates a day, and the length of a time step in days."""

    contacts: float = 0.3
    recovery: float = 0.1
    step: float = 0.05


@dataclass(frozen=True)
class Outbreak:
    """What is kept of one member of the ensemble."""

    member: int
    infected: int
    peak: int
    days: float


def simulate(member: int, seed: int, people: int, disease: Disease) -> Outbreak:
    """Follow one outbreak (susceptible, infected, recovered) from ten cases to its end."""
    rng = np.random.default_rng([seed, member])
    recovers = 1.0 - np.exp(-disease.recovery * disease.step)
    susceptible, infected = people - 10, 10
    peak, days = infected, 0.0
    while infected:
        risk = 1.0 - np.exp(-disease.contacts * disease.step * infected / people)
        falling_ill = int(rng.binomial(susceptible, risk))
        recovering = int(rng.binomial(infected, recovers))
        susceptible -= falling_ill
        infected += falling_ill - recovering
        peak = max(peak, infected)
        days += disease.step
    return Outbreak(member, people - susceptible, peak, days)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run an ensemble of stochastic epidemics.")
    parser.add_argument("--members", type=int, default=4000)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=2024)
    args = parser.parse_args()

    n = args.members
    outbreaks = sorted(
        futures.map_as_completed(
            simulate, range(n), [args.seed] * n, [args.people] * n, [Disease()] * n
        ),
        key=lambda outbreak: outbreak.member,
    )
    share = np.array([outbreak.infected for outbreak in outbreaks]) / args.people
    peak = np.array([outbreak.peak for outbreak in outbreaks]) / args.people
    days = np.array([outbreak.days for outbreak in outbreaks])
    print(f"{n:,} outbreaks among {args.people:,} people")
    for name, values, unit in (("ever ill", share, "%"), ("at the peak", peak, "%")):
        low, middle, high = 100 * np.quantile(values, [0.05, 0.5, 0.95])
        print(f"{name:12} {middle:6.2f} {unit} (90 % between {low:.2f} and {high:.2f})")
    print(f"{'over after':12} {np.median(days):6.1f} days")


if __name__ == "__main__":
    main()
