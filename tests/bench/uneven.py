"""``python -m tests.bench.uneven [--rounds N]``: eight workers, of which two are slow.

These take ten times as long.  How near does a map come to the ideal, all workers busy to the end,
each at its own pace?  And where nothing may be begun twice, so that no second copies are run?
Tasks sleep.
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
from pathlib import Path

PROGRAM = Path(__file__).with_name("programs") / "uneven.py"
FAST, SLOW, TIMES = 6, 2, 10
CASES = (
    ("250 tasks of 100 ms", ("--tasks", "250", "--seconds", "0.1")),
    ("1,250 tasks of 20 ms", ("--tasks", "1250", "--seconds", "0.02")),
    ("50 tasks of 1 s", ("--tasks", "50", "--seconds", "1")),
    ("400 tasks of 100 ms, log-normal", ("--tasks", "400", "--seconds", "0.1", "--sigma", "0.7")),
)


def seconds(words: tuple[str, ...]) -> tuple[float, float, int]:
    """Run a case; return what it took, the ideal, and how many copies there were."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as place:
        folder, run = Path(place), f"{place}/run"
        python = [sys.executable, "-m", "scoop_ft"]
        start = [*python, "run", "-q", "-n", str(FAST), "--run-dir", run, str(PROGRAM)]
        with subprocess.Popen([*start, "--folder", place, *words]) as script:
            _wait_for(script, run, 1)
            slow = {**os.environ, "NAP_TIMES": str(TIMES)}
            with subprocess.Popen([*python, "worker", "-n", str(SLOW), run], env=slow):
                _wait_for(script, run, FAST + SLOW)
                (folder / "go").touch()
                while not (folder / "figures.json").exists():
                    time.sleep(0.1)
                copies = _status(run)["tasks"]["copies"]
                (folder / "end").touch()
        assert script.returncode == 0
        figures = json.loads((folder / "figures.json").read_text())
    return figures["took"], figures["work"] / (FAST + SLOW / TIMES), copies


def _wait_for(script: subprocess.Popen[bytes], run: str, workers: int) -> None:
    while script.poll() is None:
        if Path(run, "run.json").exists():
            known = [w for w in _status(run)["workers"] if w["state"] == "idle"]
            if len(known) >= workers:
                return
        time.sleep(0.1)
    raise SystemExit("the run has ended before it began")


def _status(run: str) -> dict:  # type: ignore[type-arg]
    command = [sys.executable, "-m", "scoop_ft", "status", "--json", run]
    found = subprocess.run(command, capture_output=True, text=True)
    return json.loads(found.stdout) if found.returncode == 0 else {"workers": [], "tasks": {}}


def main() -> None:
    """Run each case with and without copies, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    for name, words in CASES:
        took: dict[bool, list[float]] = {True: [], False: []}
        ideal, copied = 0.0, list[int]()
        for _ in range(rounds):
            for copies in (True, False):
                more = () if copies else ("--no-copies",)
                spent, ideal, begun = seconds((*words, *more))
                took[copies].append(spent / ideal)
                copied += [begun] if copies else []
        with_, without = (statistics.median(took[c]) for c in (True, False))
        print(
            f"{name}: ideal {ideal:.2f} s; {with_:.2f} of it with second copies "
            f"({statistics.median(copied):.0f}), {without:.2f} without",
            flush=True,
        )


if __name__ == "__main__":
    main()
