"""``python -m tests.bench.where [TASKS]``: where each microsecond of a no-op task goes.

Runs one long no-op map on two workers with the synced journal.  What each process costs is its
processor time, as the kernel counts it; how that divides is sampled by py-spy, apart from that.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil

from scoop_ft.rundir import RunDir

PROGRAM = Path(__file__).with_name("programs") / "long_map.py"
RATE = 200  # samples a second

#: What a sample belongs to: of its frames, innermost first, the first that one of these matches.
KINDS = (
    ("journal: write and sync", r"journal/(store|writer|base|staging|room)|lmdb"),
    ("journal: read back", r"scoop_journal/"),
    ("ZeroMQ, waiting for messages", r"zmq/|broker/sockets|client/connection|client/link"),
    ("messages to frames and back", r"wire/"),
    ("pickles and what packs them", r"payload\.py|pickle"),
    ("results to who waits for them", r"client/(groups|completions|future)|futures\.py"),
    ("calls into batches", r"client/(scopes|runtime|session)"),
    ("tasks are run", r"worker/(calls|tray)|long_map\.py"),
    ("spans and greenlets", r"worker/"),
    ("decisions", r"scoop_ft/broker/"),
)


class Process(NamedTuple):
    """One process of the run."""

    name: str
    pids: list[int]


def measure(
    tasks: int, *, sampled: bool
) -> tuple[float, dict[str, float], dict[str, Counter[str]]]:
    """Run the map; return seconds, processor seconds by process, and its samples."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as place:
        folder, run = Path(place), RunDir(f"{place}/run")
        words = ["run", "-q", "-n", "2", "--run-dir", str(run.path), str(PROGRAM)]
        command = [sys.executable, "-m", "scoop_ft", *words, place, str(tasks)]
        with subprocess.Popen(command) as script:
            _wait_for(script, folder / "ready")
            processes = _processes(run)
            spies = [_spy(folder, pid) for p in processes for pid in p.pids] if sampled else []
            time.sleep(3.0 if sampled else 0.2)
            before = {p.name: _worked(p) for p in processes}
            (folder / "go").touch()
            _wait_for(script, folder / "figures.json")
            worked = {p.name: _worked(p) - before[p.name] for p in processes}
            for spy in spies:
                spy.send_signal(signal.SIGINT)
                spy.wait()
            (folder / "end").touch()
        assert script.returncode == 0
        samples = {p.name: _read(folder, p) for p in processes} if sampled else {}
        return json.loads((folder / "figures.json").read_text()), worked, samples


def _processes(run: RunDir) -> list[Process]:
    live = run.live()
    assert live is not None
    assert live.root is not None
    assert live.broker is not None
    workers = [worker.pid for worker in live.workers]
    return [
        Process("root", [live.root.pid]),
        Process("broker", [live.broker.pid]),
        Process("workers", workers),
    ]


def _worked(process: Process) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in process.pids)


def _wait_for(script: subprocess.Popen[bytes], file: Path) -> None:
    while not file.exists():
        if script.poll() is not None:
            raise SystemExit("the run has ended before it was measured")
        time.sleep(0.01)


def _spy(folder: Path, pid: int) -> subprocess.Popen[bytes]:
    options = ["--pid", str(pid), "--rate", str(RATE), "--duration", "3600", "--nonblocking"]
    out = ["--format", "raw", "--full-filenames", "--output", str(folder / f"{pid}.raw")]
    return subprocess.Popen(
        ["py-spy", "record", *options, *out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _read(folder: Path, process: Process) -> Counter[str]:
    found: Counter[str] = Counter()
    for pid in process.pids:
        for line in (folder / f"{pid}.raw").read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            if count.isdigit():  # else it is a word of py-spy's own
                found[_kind(stack.split(";"))] += int(count)
    return found


def _kind(stack: list[str]) -> str:
    for frame in reversed(stack):
        for name, pattern in KINDS:
            if re.search(pattern, frame):
                return name
    return "other"


def main() -> None:
    """Print µs a task by process, and how these divide."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    rounds = [measure(tasks, sampled=False) for _ in range(3)]
    _, _, samples = measure(tasks, sampled=True)
    fastest = min(seconds for seconds, _, _ in rounds)
    print(f"{tasks:,} tasks: {tasks / fastest:,.0f}/s in the fastest of three")
    for name, found in samples.items():
        each = min(worked[name] for _, worked, _ in rounds) / tasks * 1e6
        print(f"{name}: {each:.2f} µs a task")
        for kind, count in found.most_common():
            share = count / max(found.total(), 1)
            if share >= 0.01:
                print(f"  {each * share:5.2f} µs  {kind}")


if __name__ == "__main__":
    main()
