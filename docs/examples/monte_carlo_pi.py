"""Estimate pi by throwing darts: the smallest script that is worth interrupting.

Shows `futures.map` and nothing else.  Each call draws from a generator of its own, made of the
run's seed and the call's place, so that the answer is the same wherever, in whatever order and
however often the calls run.

    scoop-ft run docs/examples/monte_carlo_pi.py
    scoop-ft run docs/examples/monte_carlo_pi.py --tasks 20000 --darts 100000
"""

import argparse

import scoop_ft
from scoop_ft import futures


def hits(darts: int) -> int:
    """Throw darts at the unit square; count those that land in the quarter circle."""
    draw = scoop_ft.rng().random
    return sum(draw() ** 2 + draw() ** 2 <= 1.0 for _ in range(darts))


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimate pi by throwing darts.")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--darts", type=int, default=100_000, help="darts of each task")
    args = parser.parse_args()

    found = sum(futures.map(hits, [args.darts] * args.tasks))
    total = args.tasks * args.darts
    print(f"pi is about {4 * found / total:.6f} ({total:,} darts)")


if __name__ == "__main__":
    main()
