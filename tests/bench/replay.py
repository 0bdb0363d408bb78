"""``python -m tests.bench.replay [--tasks N] [--rounds N]``: how fast finished tasks are replayed.

A script of no-op tasks is run, and resumed: all its results are recorded, and nothing runs again.
Shown are the medians of the rounds, beside the first run's rate.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "replayed.py"
COMMAND = (sys.executable, "-m", "scoop_ft")
LIMIT_S = 600.0
ORDERS = {"same": "in the same order", "other": "in another order, one by one"}


def rates(folder: Path, tasks: int, order: str) -> tuple[float, float]:
    """Return tasks/s of a run and of its replay."""
    found = []
    run = ["run", "-q", "-n", "2", "--run-dir", "run", str(PROGRAM), str(tasks), order, "rate"]
    for words in (run, ["resume", "-q", "run"]):
        done = subprocess.run(
            [*COMMAND, *words], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S
        )
        assert done.returncode == 1, done.stderr
        found.append(float(json.loads((folder / "rate").read_text())))
    status = json.loads(
        subprocess.run(
            [*COMMAND, "status", "--json", "run"], cwd=folder, capture_output=True, check=True
        ).stdout
    )
    assert status["tasks"]["submitted"] == tasks + 1, "something ran again"
    assert status.get("mismatches", 0) == 0
    return found[0], found[1]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.replay", description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for order, words in ORDERS.items():
        taken = []
        for _ in range(args.rounds):
            with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
                taken.append(rates(Path(name), args.tasks, order))
        ran, replayed = (statistics.median(column) for column in zip(*taken, strict=True))
        print(
            f"{args.tasks:,} no-op tasks, replayed {words}: {replayed:,.0f} tasks/s "
            f"(run at first: {ran:,.0f} tasks/s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
