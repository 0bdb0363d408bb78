"""``python -m tests.bench.ideal [--rounds N]``: how much of two workers' time tasks get.

Tasks of 1 ms, of 10 ms, and of 0.1 to 100 ms (log-normal), in one `map` of ``scoop-ft run -n 2``.
How they *take* their time matters where there are as many cores as workers: those that sleep leave
the cores to the root and the broker, those that compute do not; both are measured.  The ideal is
what two processes need that have half of the tasks each, in a plain loop, in the same round: so
what a sleep takes too long, and other work on the machine, falls on both alike.  ``within``: what
the tasks themselves measured, of the workers' time; the rest are gaps between tasks.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "ideal.py"
KINDS = ("1 ms", "10 ms", "mixed")
WORKERS = 2
Taken = tuple[float, float]  # seconds: in all, within tasks


def bare(kind: str, what: str) -> Taken:
    """Run the loops; return the seconds of both by two."""
    command = [sys.executable, str(PROGRAM)]
    loops = [
        subprocess.Popen([*command, str(k), "--bare", kind, what], stdout=subprocess.PIPE)
        for k in range(WORKERS)
    ]
    found = [_read(loop.communicate()[0]) for loop in loops]
    return sum(took for took, _ in found) / WORKERS, sum(within for _, within in found)


def run(kind: str, what: str) -> Taken:
    """Run the map."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as folder:
        command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", str(WORKERS)]
        done = subprocess.run(
            [*command, str(PROGRAM), kind, what], cwd=folder, stdout=subprocess.PIPE, check=True
        )
    return _read(done.stdout)


def _read(line: bytes) -> Taken:
    took, within = map(float, line.split())
    return took, within


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ideal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("sleep", "compute"))
    rounds, only = (args := parser.parse_args()).rounds, args.only
    for what in [only] if only else ("sleep", "compute"):
        for kind in KINDS:
            pairs = [(bare(kind, what), run(kind, what)) for _ in range(rounds)]
            shares = [100 * ideal / took for (ideal, _), (took, _) in pairs]
            within = [100 * inside / WORKERS / took for _, (took, inside) in pairs]
            print(
                f"{what:8} {kind:6} {statistics.median(shares):6.1f} % of ideal, "
                f"best {max(shares):5.1f} %;  within {statistics.median(within):5.1f} %, "
                f"best {max(within):5.1f} %",
                flush=True,
            )
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
