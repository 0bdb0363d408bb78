"""``python -m tests.bench.threads [SIZE]``: products of matrices, with a share of the cores or all.

In turn: workers whose BLAS keeps to its share, and workers each of whose BLAS has all the cores, as
without scoop-ft's limit.  Shows the medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from scoop_ft.launch.processes import usable_cores
from scoop_ft.launch.threads import FOR_ALL, VARIABLES

PROGRAM = Path(__file__).parent / "programs" / "matmul.py"
ROUNDS, TASKS, SIZE = 5, 40, 200


def rate(size: int, threads: str) -> float:
    """Return tasks a second; no ``threads``: as scoop-ft sets them."""
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if threads:
        environ[FOR_ALL] = threads
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as folder:
        command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "2"]
        command += ["--run-dir", f"{folder}/run", str(PROGRAM), str(TASKS), str(size)]
        done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Measure, and print."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    kinds = {"its share": "", "all cores": str(usable_cores())}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, threads in kinds.items():
            rates[name].append(rate(size, threads))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, found in rates.items():
        ratio = medians[name] / medians["all cores"]
        spread = f"{min(found):.1f} to {max(found):.1f}"
        print(f"{name:10} {medians[name]:8.1f} tasks/s ({spread})   {ratio:.2f}")


if __name__ == "__main__":
    main()
