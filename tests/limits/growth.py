"""``python -m tests.limits.growth PROGRAM COUNT``: how large the journal of a long run gets.

Runs one of ``programs/`` with real processes, looks at the journal as it goes, and prints the
curve: time, tasks done, size, part in use.  ``grown 5000`` is a nested run of 50 million tasks,
``generations 1000000`` a script that saves its state after each of so many generations.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from scoop_journal import Reader

from scoop_ft.launch.status import status
from scoop_ft.rundir import RunDir

PROGRAMS = Path(__file__).with_name("programs")
COMMAND = (sys.executable, "-m", "scoop_ft")
LOOKS = 40  # lines of the curve


class Look(NamedTuple):
    """The journal at one moment."""

    after_s: float
    done: int
    file_bytes: int
    live_bytes: int


class Grown(NamedTuple):
    """A whole run: its curve, the end included, how many tasks it had and how many records."""

    curve: list[Look]
    tasks: int
    records: int


def grow(folder: Path, program: str, count: int, every_s: float, workers: int = 2) -> Grown:
    """Run it, and look at its journal now and then."""
    run = RunDir(folder / "run")
    script = str(PROGRAMS / f"{program}.py")
    words = ["run", "-n", str(workers), "--run-dir", str(run.path), script, str(count)]
    began = time.monotonic()
    curve: list[Look] = []
    with subprocess.Popen(
        [*COMMAND, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            try:
                process.wait(every_s)
            except subprocess.TimeoutExpired:
                found = status(run) if run.run_json.exists() else {"tasks": {"done": 0}}
                if found["tasks"]["done"]:
                    curve.append(_look(began, found))
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    curve.append(_look(began, status(run)))
    with Reader.open(run.journal) as reader:
        records = reader.meta.next_seq - 1
    return Grown(curve, int(output.split()[0]), records)


def _look(began: float, found: dict[str, dict[str, int]]) -> Look:
    journal = found["journal"]
    return Look(
        time.monotonic() - began, found["tasks"]["done"], journal["bytes"], journal["live_bytes"]
    )


def main() -> None:
    """Print the curve of one run."""
    program, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        grown = grow(Path(folder), program, count, 1.0)
    print("  seconds     tasks done       file MB     in use MB   ratio")
    step = max(1, len(grown.curve) // LOOKS)
    for look in [*grown.curve[:-1:step], grown.curve[-1]]:
        ratio = look.file_bytes / look.live_bytes
        print(
            f"{look.after_s:9.0f} {look.done:14,} {look.file_bytes / 1e6:13.2f} "
            f"{look.live_bytes / 1e6:13.2f} {ratio:7.2f}"
        )
    last = grown.curve[-1]
    print(f"{grown.tasks:,} tasks, {grown.records:,} records written")
    print(json.dumps({"file": last.file_bytes, "in use": last.live_bytes}))


if __name__ == "__main__":
    main()
