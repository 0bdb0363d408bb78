"""``python -m tests.bench.draws [--rounds N]``: what random numbers cost a task.

No-op tasks, and tasks that draw one number, in runs without and with ``--seed``, in turn; and, in
this process, what it takes to seed the global generators for one task.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "draw.py"
TASKS = 60_000
LIMIT_S = 600.0
MODES = {"without --seed": (), "with --seed": ("--seed", "7")}
TITLES = {
    "nothing": "does nothing",
    "shared": "random.random()",
    "own": "scoop_ft.rng().random()",
    "nothing_after_numpy": "does nothing, numpy is imported",
    "own_numpy": "scoop_ft.numpy_rng().random()",
}


def run_once(options: tuple[str, ...]) -> dict[str, float]:
    """Run the program; return tasks/s of each kind."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
        out = Path(name) / "figures.json"
        words = ["-m", "scoop_ft", "run", "-q", "-n", "2", "--run-dir", f"{name}/run", *options]
        subprocess.run(
            [sys.executable, *words, str(PROGRAM), "--out", str(out), "--tasks", str(TASKS)],
            cwd=name, check=True, timeout=LIMIT_S,
        )  # fmt: skip
        figures: dict[str, float] = json.loads(out.read_text())
        return figures


def microseconds(action: Callable[[], object], times: int = 20_000) -> float:
    """Return the least time that an action took, on average over many, in five goes."""
    return min(timeit.repeat(action, number=times, repeat=5)) / times * 1e6


def direct() -> None:
    """Time the parts here."""
    from scoop_ft.ids import ROOT_LINEAGE, lineage
    from scoop_ft.randomness import Generators
    from scoop_ft.worker.seeding import Seeding

    def seed() -> None:
        seeding.begin(7, lineage(ROOT_LINEAGE, 5))

    def wait() -> None:
        seeding.take("b")
        seeding.take("a")

    seeding = Seeding()
    seeding.take("a")
    rows = [("seed the global generator for a task", microseconds(seed))]
    rows.append(("two tasks take turns once", microseconds(wait)))
    import numpy  # noqa: F401

    rows.append(("seed both, numpy is imported", microseconds(seed)))
    rows.append(("two tasks take turns once, numpy is imported", microseconds(wait)))
    rows.append(("make rng()", microseconds(lambda: Generators(7, ROOT_LINEAGE).make_python())))
    rows.append(
        ("make numpy_rng()", microseconds(lambda: Generators(7, ROOT_LINEAGE).make_numpy()))
    )
    for title, took in rows:
        print(f"{title:48}{took:8.1f} µs")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.draws", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    taken: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(args.rounds):
        for mode, options in MODES.items():
            taken[mode].append(run_once(options))
    print(f"{'tasks/s, median of the rounds':34}" + "".join(f"{mode:>16}" for mode in MODES))
    for key, title in TITLES.items():
        medians = [statistics.median(one[key] for one in taken[mode]) for mode in MODES]
        ratio = medians[1] / medians[0]
        print(f"{title:34}" + "".join(f"{one:16,.0f}" for one in medians) + f"   x {ratio:.2f}")
    direct()


if __name__ == "__main__":
    main()
