"""``python -m tests.bench.arrays [--quick]``: 1 GB of numpy arrays through `map`, and back.

The journal holds all of it, there and back, synced.  In each round the same machine also sends as
many bytes through a bare ROUTER, and writes as many to a file and into LMDB, synced: nobody gets
past the slower of these.  Shows the medians of the rounds, and how much memory the broker had at
most: its own, and with the pages of the journal's file that it has read (these are the system's
cache, given up when somebody needs the room).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

PROGRAMS = Path(__file__).parent / "programs"
LOOK_S = 0.01
LEAST, MOST_MB = 0.6, 300
ROWS = {
    "ours": "through map, journal synced",
    "routed": "bare ROUTER, copy=False",
    "file": "written to a file, a sync each 8 MB",
    "lmdb": "LMDB, a transaction each 8 MB",
}


def memory_kb(pid: int) -> dict[str, int]:
    """Return what a process has of memory, by the names of Linux."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(number) for name, number, _ in words}


def ours(folder: Path, count: int) -> tuple[dict[str, float], dict[str, float]]:
    """Run scoop-ft; return its figures, and the broker's peaks of memory in MB."""
    out = folder / "ours.json"
    command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "2"]
    command += ["--run-dir", str(folder / "run"), str(PROGRAMS / "arrays.py"), str(count), str(out)]
    peaks = {"RssAnon": 0.0, "VmHWM": 0.0}
    broker = 0
    with subprocess.Popen(command, cwd=folder) as process:
        while process.poll() is None:
            time.sleep(LOOK_S)
            try:
                broker = broker or _broker(process.pid)
                found = memory_kb(broker) if broker else {}
            except (OSError, psutil.NoSuchProcess):
                continue  # it has ended, or has not begun
            for name in peaks:
                peaks[name] = max(peaks[name], found.get(name, 0) / 1024)
    if process.returncode:
        sys.exit(f"the run has failed: {process.returncode}")
    return json.loads(out.read_text()), peaks


def _broker(launcher: int) -> int:
    for child in psutil.Process(launcher).children():
        if "scoop_ft.broker" in child.cmdline():
            return int(child.pid)
    return 0


def bare(folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Return what the machine does by itself."""
    out = folder / "bare.json"
    command = [sys.executable, str(PROGRAMS / "arrays_bare.py"), str(count), str(out)]
    subprocess.run(command, cwd=folder, check=True)
    found: dict[str, dict[str, float]] = json.loads(out.read_text())
    return found


def main() -> None:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.arrays", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small round: does it work?")
    args = parser.parse_args()
    rounds, count = (1, 100) if args.quick else (args.rounds, 1_000)
    taken: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
            mine, peaks = ours(Path(name), count)
            for key, figures in {"ours": mine, **bare(Path(name), count)}.items():
                taken[key].append(figures)
            taken["memory"].append(peaks)
    _show(taken, rounds)


def _show(taken: dict[str, list[dict[str, float]]], rounds: int) -> None:
    table = Table(f"median of {rounds} rounds", box=None)
    for name in ("MB/s", "ours to it", "processor s/GB", "MB/s, each round"):
        table.add_column(name, justify="right")
    for key, title in ROWS.items():
        rates = [one["bytes_s"] / 1e6 for one in taken[key]]
        pairs = zip(taken["ours"], taken[key], strict=True)
        ratio = statistics.median(mine["bytes_s"] / one["bytes_s"] for mine, one in pairs)
        spent = statistics.median(one["cpu_s"] for one in taken[key])
        table.add_row(
            title, f"{statistics.median(rates):,.0f}", "" if key == "ours" else f"{ratio:.2f}",
            f"{spent:.2f}", " ".join(f"{rate:,.0f}" for rate in rates),
        )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table, highlight=False)
    peaks = {name: max(one[name] for one in taken["memory"]) for name in ("RssAnon", "VmHWM")}
    console.print(
        f"the broker's memory at most: {peaks['RssAnon']:,.0f} MB of its own (wanted: below "
        f"{MOST_MB}), {peaks['VmHWM']:,.0f} MB with pages of the journal's file",
        highlight=False,
    )
    console.print(f"wanted: {LEAST} of the bare ROUTER; {_limit(taken)}", highlight=False)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    console.print(f"load average {load}", style="dim", highlight=False)


def _limit(taken: dict[str, list[dict[str, float]]]) -> str:
    """Say whether the disk lets anybody get there."""
    pairs = zip(taken["file"], taken["routed"], strict=True)
    disk = statistics.median(file["bytes_s"] / routed["bytes_s"] for file, routed in pairs)
    if disk >= LEAST:
        return f"the disk alone writes {disk:.2f} of it"
    return f"the disk is the limit: alone it writes {disk:.2f} of that, synced"


if __name__ == "__main__":
    main()
