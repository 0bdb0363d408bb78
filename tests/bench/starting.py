"""``python -m tests.bench.starting [--before PYTHON]``: from the command to the end of a short run.

Starts ``scoop-ft run`` of a script of one line, of one that computes one task, and of one that also
imports 30 modules of its user; beside it, in turn, SCOOP with the script of one line, and the same
with another installation: so what recording the code costs is seen side by side.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCOOP = "SCOOP"
MODULES = 30
LINES = 200
SCRIPTS = {
    "one line": "print(1)\n",
    "one task": (
        "from scoop_ft import futures\n"
        "if __name__ == '__main__':\n"
        "    print(futures.submit(abs, -1).result())\n"
    ),
    "one task, 30 modules": (
        "".join(f"import own_{k}\n" for k in range(MODULES)) + "from scoop_ft import futures\n"
        "def f(x):\n"
        "    return own_7.f0(x)\n"
        "if __name__ == '__main__':\n"
        "    print(list(futures.map(f, range(4))))\n"
    ),
}


def furnish(folder: Path) -> None:
    """Write the scripts and the modules."""
    for number in range(MODULES):
        text = "".join(f"def f{k}(x):\n    return x + {number}\n" for k in range(LINES // 2))
        (folder / f"own_{number}.py").write_text(text)
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)


def with_scoop(folder: Path, script: str) -> tuple[float, float]:
    """Return how long SCOOP takes with a script, and the processor's time in it."""
    began, worked = time.perf_counter(), _worked()
    command = [sys.executable, "-m", "scoop", "--quiet", "-n", "2", f"{script}.py"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began, _worked() - worked


def seconds(python: str, folder: Path, script: str) -> tuple[float, float]:
    """Return how long a run takes from its start to its end, and the processor's time in it."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as place:
        command = [python, "-m", "scoop_ft", "run", "-q", "-n", "2", "--run-dir", f"{place}/run"]
        began, worked = time.perf_counter(), _worked()
        subprocess.run(
            [*command, f"{script}.py"], cwd=folder, env=environ, check=True, capture_output=True
        )
        return time.perf_counter() - began, _worked() - worked


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.starting", description=__doc__)
    parser.add_argument("--before", metavar="PYTHON", help="one that has another scoop-ft")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    pythons = [python for python in (args.before, sys.executable) if python]
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as place:
        folder = Path(place)
        furnish(folder)
        for script in SCRIPTS:
            beside = [SCOOP] if script == "one line" and importlib.util.find_spec("scoop") else []
            systems = [*beside, *pythons]
            taken: dict[str, list[tuple[float, float]]] = {system: [] for system in systems}
            for _ in range(args.rounds):
                for system in systems:
                    one = (
                        with_scoop(folder, script)
                        if system == SCOOP
                        else seconds(system, folder, script)
                    )
                    taken[system].append(one)
            if beside:
                print(f"{'':22} first: SCOOP")
            for what, title in enumerate(("start to end", "processor")):
                figures = [[one[what] for one in taken[system]] for system in systems]
                medians = [statistics.median(one) for one in figures]
                shown = "  ".join(f"{median * 1000:6.0f} ms" for median in medians)
                ratio = f"  ratio {medians[-1] / medians[0]:.3f}" if len(medians) > 1 else ""
                best = "  ".join(f"{min(one) * 1000:6.0f} ms" for one in figures)
                print(f"{script:22} {title:12} median {shown}{ratio}  best {best}", flush=True)


if __name__ == "__main__":
    main()
