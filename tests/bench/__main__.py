"""``python -m tests.bench [--peers] [--json FILE] [--quick]``: scoop-ft beside what people use.

Each system runs a program of its own, all of them in turn in each round, so that whatever else the
machine does falls on all alike; the median of the rounds is shown.  scoop-ft keeps its journal,
synced, on the file system of the temporary directory; the others keep nothing.  Beside them stands
what pickle, ØMQ and LMDB do by themselves: nobody gets past that.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

PROGRAMS = Path(__file__).parent / "programs"
LIMIT_S = 600.0
Figures = dict[str, float]


@dataclass(frozen=True)
class System:
    """How a system is started, and how many tasks of each kind it gets: about a second's work."""

    name: str
    start: Callable[[Path], list[str]]
    program: str
    tasks: dict[str, int]
    needs: str = ""  # a module


def _scoop_ft(folder: Path) -> list[str]:
    return ["-m", "scoop_ft", "run", "-q", "-n", "2", "--run-dir", str(folder / "run")]


SYSTEMS = (
    System(
        "scoop-ft", _scoop_ft, "with_scoop_ft.py",
        {"map": 200_000, "submit": 100_000, "latency": 500, "fib": 18, "busy": 2000},
    ),
    System(
        "SCOOP 0.7.2", lambda _: ["-m", "scoop", "-n", "2", "--quiet"], "with_scoop.py",
        {"map": 5000, "submit": 5000, "latency": 500, "fib": 18, "busy": 2000}, "scoop",
    ),
    System(
        "ProcessPoolExecutor", lambda _: [], "with_pool.py",
        {"map": 10_000, "submit": 10_000, "latency": 500, "fib": 0, "busy": 2000},
    ),
    System(
        "the same, in chunks", lambda _: [], "with_pool_in_chunks.py",
        {"map": 200_000, "submit": 10_000, "latency": 500, "fib": 0, "busy": 2000},
    ),
)  # fmt: skip

PEERS = (
    System(
        "loky", lambda _: [], "with_loky.py",
        {"map": 5000, "submit": 5000, "latency": 500, "fib": 0, "busy": 2000}, "loky",
    ),
    System(
        "dask.distributed", lambda _: [], "with_dask.py",
        {"map": 2000, "submit": 2000, "latency": 200, "fib": 0, "busy": 2000}, "distributed",
    ),
    System(
        "ray", lambda _: [], "with_ray.py",
        {"map": 5000, "submit": 5000, "latency": 500, "fib": 0, "busy": 2000}, "ray",
    ),
    System(
        "Parsl", lambda _: [], "with_parsl.py",
        {"map": 1000, "submit": 1000, "latency": 100, "fib": 0, "busy": 1000}, "parsl",
    ),
)  # fmt: skip
BARE = System("the machine", lambda _: [], "bare.py", {})

LIMITS = {
    "pickled": ("calls that are pickled, loaded and answered so in one process", "a second"),
    "two_hops": ("ØMQ: a message through a ROUTER to another process and back, p50", "µs"),
    "routed": ("ØMQ: messages of 1 MB that go there and back", "bytes a second"),
    "synced": ("LMDB: one record of 100 bytes, synced, p50", "µs"),
    "stored": ("LMDB: records of 100 bytes, 10,000 a transaction", "a second"),
}
FIGURES = {
    "map": ("no-op map", "tasks/s"),
    "submit": ("submit and result, pipelined", "tasks/s"),
    "latency": ("one task, submit to result (p50)", "µs"),
    "nested": ("tree of tasks, fib(18)", "tasks/s"),
    "efficiency": ("tasks of 1 ms on 2 workers", "% of ideal"),
}
SMALLER_IS_BETTER = {"latency"}


def run_once(system: System, quick: bool) -> Figures:
    """Run a system's program; return its figures."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
        folder = Path(name)
        out = folder / "figures.json"
        options = [f"--{key}={_size(key, count, quick)}" for key, count in system.tasks.items()]
        command = [sys.executable, *system.start(folder), str(PROGRAMS / system.program)]
        path = os.pathsep.join([str(PROGRAMS), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [*command, "--out", str(out), *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},  # for workers that are started otherwise
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        if done.returncode or not out.exists():
            sys.exit(f"{system.name} failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
        figures: Figures = json.loads(out.read_text())
        return figures


def _size(key: str, count: int, quick: bool) -> int:
    if not quick:
        return count
    return min(count, 12) if key == "fib" else max(count // 10, 100)


def run_all(systems: list[System], rounds: int, quick: bool, console: Console) -> dict[str, Any]:
    """Run all systems in turn, as often as asked; return medians and rounds."""
    taken: dict[str, list[Figures]] = {system.name: [] for system in systems}
    loads = []
    for number in range(rounds):
        for system in systems:
            console.print(f"round {number + 1} of {rounds}: {system.name}", style="dim")
            taken[system.name].append(run_once(system, quick))
        loads.append(os.getloadavg()[0])
    medians = {
        name: {key: statistics.median(one[key] for one in all_rounds) for key in all_rounds[0]}
        for name, all_rounds in taken.items()
    }
    return {"machine": _machine(), "load": loads, "medians": medians, "rounds": taken}


def _machine() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "journal_on": _filesystem(tempfile.gettempdir()),
    }


def _filesystem(path: str) -> str:
    """Return the type of the file system that holds a path."""
    mounts = [part for part in psutil.disk_partitions(all=True) if path.startswith(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


def show(found: dict[str, Any], console: Console) -> None:
    """Print the medians, how many times better scoop-ft is, and what the machine can do."""
    medians = dict(found["medians"])
    limits = medians.pop(BARE.name)
    names = list(medians)
    ours = medians[names[0]]
    table = Table(box=None, pad_edge=False)
    table.add_column("median of the rounds")
    for title, unit in FIGURES.values():
        table.add_column(f"{title}, {unit}", justify="right")
    for name in names:
        row = [name]
        for key in FIGURES:
            theirs = medians[name].get(key)
            times = "" if name == names[0] else f" [dim]({_ratio(key, ours.get(key), theirs)})[/]"
            row.append("-" if theirs is None else f"{theirs:,.0f}{times}")
        table.add_row(*row)
    console.print(table, highlight=False)
    for key, (title, unit) in LIMITS.items():
        console.print(f"{title}: {limits[key]:,.0f} {unit}", highlight=False)
    machine = ", ".join(f"{key} {value}" for key, value in found["machine"].items())
    load = ", ".join(f"{one:.1f}" for one in found["load"])
    console.print(f"{machine}\nload average after each round: {load}", style="dim", highlight=False)


def _ratio(key: str, ours: float | None, theirs: float | None) -> str:
    if not ours or not theirs:
        return "-"
    ratio = theirs / ours if key in SMALLER_IS_BETTER else ours / theirs
    return f"{ratio:.1f}x" if ratio < 100 else f"{ratio:,.0f}x"


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--peers", action="store_true", help="beside other systems, too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small round: does it work?")
    args = parser.parse_args()

    console = Console(width=None if sys.stdout.isatty() else 140)
    systems = []
    for system in (*SYSTEMS, *(PEERS if args.peers else ()), BARE):
        if system.needs and importlib.util.find_spec(system.needs) is None:
            console.print(f"{system.name} is not installed: left out", style="yellow")
        else:
            systems.append(system)
    found = run_all(systems, 1 if args.quick else args.rounds, args.quick, console)
    show(found, console)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
