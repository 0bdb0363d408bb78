"""``python -m tests.bench.killed [EVERY_S [SWEEPS]]``: a simulation whose workers die all the time.

Runs the Ising example undisturbed, and again while one of its workers is killed every few seconds;
the answers must be the same.  What counts is how much longer it takes.  60,000 sweeps are minutes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from scoop_ft.rundir import RunDir

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "ising.py"
SCRIPT = (str(EXAMPLE), "--size", "128", "--temperatures", "6", "--every", "1")


def run(folder: Path, sweeps: str, every_s: float | None) -> tuple[float, int, str]:
    """Run it; return seconds, how many workers were killed, and the answer."""
    directory = RunDir(folder)
    words = ["-q", "-n", "2", "--seed", "1", "--run-dir", str(folder)]
    began, kills = time.monotonic(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "scoop_ft", "run", *words, *SCRIPT, "--sweeps", sweeps],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None:
            try:
                process.wait(every_s)
            except subprocess.TimeoutExpired:
                live = directory.live()
                if live is not None and live.workers:
                    os.kill(live.workers[kills % len(live.workers)].pid, signal.SIGKILL)
                    kills += 1
        output, _ = process.communicate()
    assert process.returncode == 0
    return time.monotonic() - began, kills, output


def main() -> None:
    """Compare the two, side by side."""
    every_s = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    sweeps = sys.argv[2] if len(sys.argv) > 2 else "12000"
    with tempfile.TemporaryDirectory() as folder:
        names = (Path(folder, f"run{number}") for number in count())
        calm, _, answer = run(next(names), sweeps, None)
        stormy, kills, other = run(next(names), sweeps, every_s)
    assert other == answer, "the answers differ"
    print(
        f"undisturbed {calm:.1f} s; {kills} kills, one each {every_s:g} s: {stormy:.1f} s", end=""
    )
    print(f", {stormy / calm:.2f} of it, {(stormy - calm) / max(kills, 1):.2f} s a kill")


if __name__ == "__main__":
    main()
