"""``python -m tests.bench.growth [--quick] [--json FILE] [--plots DIR]``: what a task costs as work grows.

The processor time of a task, of all processes together, and the broker's memory at its peak, against
the number of tasks, of workers, the size of argument and result, and the depth of nesting.  Beyond
some tens of workers these are simulated (see `crowd`): then it is the broker's time alone.
``--redraw FILE`` draws what was measured before.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scoop_ft.rundir import RunDir

from . import crowd

PROGRAM = Path(__file__).parent / "programs" / "growing.py"
LIMIT_S = 1_800.0
LOOK_S = 0.02
TASKS_OF_WORKERS = 100_000
PAYLOADS = 400_000_000  # bytes there and back, in all, at most
NESTED = 3_000  # tasks of one measurement of depth

SIZES = {
    "tasks": [1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    "workers": [1, 2, 4, 8, 16, 32, 48],
    "crowd": [30, 100, 300, 1_000, 3_000, 10_000],
    "payload": [0, 100, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
    "depth": [1, 3, 10, 30, 100, 300, 1_000],
}
QUICK = {
    "tasks": [1_000, 10_000],
    "workers": [1, 2],
    "crowd": [30, 100],
    "payload": [0, 10_000],
    "depth": [1, 10],
}


@dataclass
class Point:
    """One measurement."""

    size: int
    us_per_task: float
    broker_bytes: int  # at its peak, without what it has mapped


Curves = dict[str, list[Point]]


# ---- measuring -----------------------------------------------------------------------------------


def tasks_of(kind: str, size: int) -> int:
    """Return how many tasks a measurement has."""
    if kind == "tasks":
        return size
    if kind == "workers":
        return TASKS_OF_WORKERS
    if kind == "payload":
        return max(4, min(1_000, PAYLOADS // max(size, 1)))
    return max(size, NESTED // size * size)


def of_run(kind: str, size: int) -> Point:
    """Measure with real processes."""
    workers = size if kind == "workers" else 2
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
        folder = Path(name)
        run, out = folder / "run", folder / "out"
        command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", str(workers)]
        command += ["--run-dir", str(run), str(PROGRAM), str(run), kind, str(size)]
        process = subprocess.Popen([*command, str(tasks_of(kind, size)), str(out)], cwd=folder)
        peak = _watch(process, RunDir(run))
        if process.returncode:
            sys.exit(f"{kind} {size:,} failed")
        return Point(size, json.loads(out.read_text()), peak)


def _watch(process: subprocess.Popen[bytes], run: RunDir) -> int:
    """Return the broker's memory at its peak."""
    peak, deadline = 0, time.monotonic() + LIMIT_S
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.terminate()
        live = run.live() if run.path.exists() else None
        if live is not None and live.broker is not None:
            peak = max(peak, crowd.own_bytes(live.broker.pid))
        time.sleep(LOOK_S)
    return peak


def of_crowd(workers: int, seconds: float) -> Point:
    """Measure with simulated workers: the broker alone."""
    found = crowd.measure(crowd.possible(workers), seconds, task_s=1.0)
    return Point(found.workers, found.us_per_task, found.memory_bytes)


def measure(kinds: Iterable[str], sizes: dict[str, list[int]], seconds: float) -> Curves:
    """Measure all of it."""
    curves: Curves = {}
    for kind in kinds:
        curves[kind] = []
        for size in sizes[kind]:
            point = of_crowd(size, seconds) if kind == "crowd" else of_run(kind, size)
            curves[kind].append(point)
            print(
                f"{kind} {point.size:,}: {point.us_per_task:,.1f} µs a task, "
                f"broker {point.broker_bytes / 1e6:,.0f} MB, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    return curves


# ---- drawing -------------------------------------------------------------------------------------

AXES = {
    "tasks": ("no-op tasks in one map", {"tasks": "2 workers"}),
    "workers": (
        "workers",
        {"workers": "real processes, no-op tasks: all of them",
         "crowd": "simulated workers, tasks of 1 s: the broker alone"},
    ),
    "payload": ("bytes of an argument, and of a result", {"payload": "2 workers"}),
    "depth": ("tasks one below the other", {"depth": "2 workers"}),
}  # fmt: skip


def draw(curves: Curves, folder: Path) -> None:
    """Draw one file for each of the four."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "scoop-ft", "font.size": 9, "axes.grid": True,
        "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
    })  # fmt: skip
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for name, (label, lines) in AXES.items():
        if not any(curves.get(kind) for kind in lines):
            continue
        figure, (above, below) = pyplot.subplots(
            2, 1, sharex=True, figsize=(5.6, 4.4), layout="constrained"
        )
        for kind, words in lines.items():
            _line(above, below, curves.get(kind, []), words)
        above.set_ylabel("processor time a task, µs")
        below.set_ylabel("broker's memory, MB")
        below.set_xlabel(label)
        for axes in (above, below):
            _scale(axes, near_zero=name == "payload")
        above.legend(frameon=False, fontsize=8)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _scale(axes: Any, *, near_zero: bool) -> None:
    """Make both scales logarithmic, over whole decades, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    if near_zero:
        axes.set_xscale("symlog", linthresh=100, linscale=0.5)
        axes.set_xlim(left=-15)
    else:
        axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
    axes.yaxis.set_major_locator(LogLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _short(value: float) -> str:
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _line(above: Any, below: Any, points: list[Point], words: str) -> None:
    sizes = [point.size for point in points]
    above.plot(sizes, [point.us_per_task for point in points], "o-", markersize=4, label=words)
    below.plot(sizes, [point.broker_bytes / 1e6 for point in points], "o-", markersize=4)


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    parser.add_argument("--only", action="append", choices=list(SIZES), help="one of the curves")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw them there")
    parser.add_argument("--redraw", type=Path, metavar="FILE", help="measure nothing: draw these")
    args = parser.parse_args()
    if args.redraw:
        read = json.loads(args.redraw.read_text())
        curves = {kind: [Point(**one) for one in points] for kind, points in read.items()}
    else:
        sizes = QUICK if args.quick else SIZES
        curves = measure(args.only or sizes, sizes, 3.0 if args.quick else 15.0)
    if args.json:
        plain = {kind: [asdict(one) for one in points] for kind, points in curves.items()}
        args.json.write_text(json.dumps(plain, indent=1) + "\n")
    if args.plots:
        draw(curves, args.plots)


if __name__ == "__main__":
    main()
