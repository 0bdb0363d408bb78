"""``python -m tests.bench.onemax [--rounds N]``: a genetic algorithm whose fitness costs nothing.

DEAP's onemax, population 300, 40 generations, a fitness of a microsecond: nothing is to be gained
there, and the question is what is lost.  In one script, under ``scoop-ft run -n 2``, in turn with
`map` and with `futures.map`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "onemax.py"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.onemax", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as folder:
        command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "2"]
        done = subprocess.run(
            [*command, str(PROGRAM), str(args.rounds)],
            cwd=folder, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    *lines, map_ms = done.stdout.split("\n")[:-1]
    alone, took = zip(*(map(float, line.split()) for line in lines), strict=True)
    for name, choose in (("median", statistics.median), ("best", min)):
        serial, ours = choose(alone), choose(took)
        print(f"{name:7} map {serial:.3f} s, futures.map {ours:.3f} s: {ours / serial:.2f} x")
    print(f"one futures.map: {float(map_ms):.2f} ms (median)")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
