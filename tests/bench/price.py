"""``python -m tests.bench.price [--rounds N]``: what syncing the journal costs.

The benchmark's own program under ``scoop-ft run -n 2``, with a synced journal and with
``--durability none``, in turn in each round.  The medians of the rounds and, where other work
disturbs them, the best; beside them the processor time of all processes of the run.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
from pathlib import Path

from .__main__ import FIGURES, SMALLER_IS_BETTER, Figures, System, run_once

TASKS = {"map": 200_000, "submit": 100_000, "latency": 200, "fib": 0, "busy": 2000}
USED = {"used": ("processor time of the whole run", "s")}
SMALLER = {*SMALLER_IS_BETTER, *USED}


def _system(durability: str) -> System:
    def command(folder: Path) -> list[str]:
        run = ["-m", "scoop_ft", "run", "-q", "-n", "2", "--run-dir", str(folder / "run")]
        return [*run, "--durability", durability]

    return System(durability, command, "with_scoop_ft.py", TASKS)


def _run(system: System, quick: bool) -> Figures:
    before = _used_s()
    return {**run_once(system, quick), "used": _used_s() - before}


def _used_s() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _ratio(key: str, synced: float, none: float) -> float:
    return synced / none if key in SMALLER else none / synced


def _show(key: str, synced: list[float], none: list[float]) -> str:
    title, unit = {**FIGURES, **USED}[key]
    best = min if key in SMALLER else max
    cells = [f"{f'{title}, {unit}':44}"]
    for choose in (statistics.median, best):
        a, b = choose(synced), choose(none)
        cells.append(f"{a:11,.1f} {b:11,.1f} {_ratio(key, a, b):6.2f}")
    return "  |".join(cells)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.price", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one small round: does it work?")
    args = parser.parse_args()
    synced, none = systems = _system("synced"), _system("none")
    taken: dict[str, list[Figures]] = {system.name: [] for system in systems}
    for number in range(1 if args.quick else args.rounds):
        for system in systems if number % 2 == 0 else reversed(systems):
            taken[system.name].append(_run(system, args.quick))
    columns = f"{'synced':>11} {'none':>11} {'ratio':>6}"
    print(f"{'medians, then the best of the rounds':44}  |{columns}  |{columns}")
    for key in taken[synced.name][0]:
        print(_show(key, *([one[key] for one in taken[each.name]] for each in (synced, none))))
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
