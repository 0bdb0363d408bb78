"""``python -m tests.bench.crowd [--workers N] [--quick]``: one broker and thousands of workers.

The broker is a real process with a real, synced journal and a real socket.  Workers and agents are
simulated, with a connection each (see `crowd_peers`); so is the script's process, which submits as
fast as tasks end.  Shown are the broker's processor time as a share of one core, its memory, how
long a worker waits from a result to its next task, and how long it takes until all have joined.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import zmq
from rich.console import Console
from rich.table import Table

from scoop_ft.client.connection import dealer
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id, digest
from scoop_ft.rundir import RunDir, RunInfo
from scoop_ft.wire import messages as wire
from scoop_ft.wire import parts
from scoop_ft.wire.codec import decode_from_broker, encode

from .crowd_peers import serve

HOST = 100  # workers of one agent
PROCESSES = 2  # that hold the workers
FDS_OF_A_WORKER = 2  # where it is simulated: its connection, and what wakes its process
SETTLE_S = 4.0
BATCH = 10_000  # tasks submitted together
AHEAD = 3  # tasks that wait, for each worker
JOIN_S = 300.0
ARGUMENTS = pickle.dumps((1,))
ENDS = array("I", range(len(ARGUMENTS), (BATCH + 1) * len(ARGUMENTS), len(ARGUMENTS))).tobytes()


@dataclass
class Found:
    """What was measured with so many workers."""

    workers: int
    joined_s: float
    resting_share: float  # of a core, while there is nothing to do
    tasks_per_s: float
    share: float  # of a core
    threads: dict[str, float]  # the same, by thread
    us_per_task: float
    memory_bytes: int  # its own, not what it has mapped
    wait_p50_ms: float
    wait_p99_ms: float
    broken: int  # connections that had to be made anew
    late_ms: float  # how late the simulated workers themselves were at worst
    load: float


# ---- the broker ----------------------------------------------------------------------------------


@contextmanager
def broker(folder: Path) -> Iterator[tuple[RunDir, psutil.Process]]:
    """Run a broker's process."""
    run = RunDir(folder / "run")
    run.create(
        RunInfo(
            run="crowd", script=str(folder / "s.py"), args=[], cwd=str(folder), seed=1, workers=1,
            python=sys.executable, created=0.0, max_attempts=3, path=str(folder),
        )
    )  # fmt: skip
    run.choose_endpoint()
    command = [sys.executable, "-m", "scoop_ft.broker", str(run.path)]
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            yield run, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()
            run.drop_endpoint()


def _cpu_s(pid: int) -> dict[str, float]:
    """Return the processor time of each thread of a process."""
    found = {}
    for path in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (path / "stat").read_text().rpartition(")")
        fields = rest.split()
        thread = "main" if path.name == str(pid) else f"{name.partition('(')[2]} {path.name}"
        found[thread] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def own_bytes(pid: int) -> int:
    """Return a process's memory, without what it has mapped."""
    status = Path(f"/proc/{pid}/status")
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0  # it has ended
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


# ---- the script ----------------------------------------------------------------------------------


class Root:
    """The script's process, simulated: it submits, and counts what is delivered."""

    def __init__(self, endpoint: str, ahead: int) -> None:
        self._context = zmq.Context()
        self._socket = dealer(self._context, endpoint)
        self._socket.connect(endpoint)
        self._session = os.urandom(8)
        self._ahead = ahead
        self._n = 0
        self._submitted = 0
        self.delivered = 0
        self._socket.send(
            encode(wire.Hello(wire.PROTOCOL_VERSION, self._session, "root", "h", 1, b"", [], [], 1))
        )

    def run(self, seconds: float) -> None:
        """Submit and listen for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            while self._submitted - self.delivered < self._ahead:
                self._submit()
            if self._socket.poll(int(left * 1000) + 1):
                self._hear()

    def _hear(self) -> None:
        while self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            header, *frames = [frame.bytes for frame in parts.receive(self._socket)]
            message = decode_from_broker(header, frames)
            if type(message) is wire.Deliver:
                self.delivered += sum(stop - start for start, stop in message.ranges)

    def _submit(self) -> None:
        if not self._n:
            self._say(wire.Define(self._number(), digest(b"wait"), "wait"), b"a function")
        n = self._number()
        batch = wire.Submit(
            n, batch_id(self._session, n), ROOT_ID, ROOT_LINEAGE, self._submitted, BATCH,
            [digest(b"wait")], b"", ENDS, [], [],
        )  # fmt: skip
        self._say(batch, ARGUMENTS * BATCH)
        self._submitted += BATCH

    def _number(self) -> int:
        self._n += 1
        return self._n

    def _say(self, message: Any, *frames: bytes) -> None:
        self._socket.send_multipart([encode(message), *frames])


# ---- the workers ---------------------------------------------------------------------------------


class Workers:
    """The processes that hold the workers."""

    def __init__(self, endpoint: str, workers: int, seconds: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        self._began = time.monotonic()
        for number in range(PROCESSES):
            share = workers // PROCESSES + (number < workers % PROCESSES)
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, endpoint, share, HOST, seconds))
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def joined(self, pid: int) -> float:
        """Wait until all have; return after how many seconds."""
        ends = []
        for pipe in self._pipes:
            if not pipe.poll(JOIN_S):
                sys.exit(f"not all workers have joined after {JOIN_S:.0f} s: {_cpu_s(pid)}")
            ends.append(pipe.recv())
        return max(ends) - self._began

    def seen(self) -> dict[str, Any]:
        """Return what they have seen since the last time."""
        for pipe in self._pipes:
            pipe.send("seen")
        found = [pipe.recv() for pipe in self._pipes]
        return {
            "waits": sorted(wait for one in found for wait in one["waits"]),
            "done": sum(one["done"] for one in found),
            "late_s": max(one["late_s"] for one in found),
            "broken": sum(one["broken"] for one in found),
        }

    def end(self) -> None:
        for pipe in self._pipes:
            pipe.send("stop")
        for process in self._processes:
            process.join()


# ---- measuring -----------------------------------------------------------------------------------


def measure(workers: int, seconds: float, task_s: float, profile: str = "") -> Found:
    """Measure with so many workers."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-crowd-") as name, broker(Path(name)) as made:
        run, process = made
        while not Path(run.endpoint().removeprefix("ipc://")).exists():
            time.sleep(0.01)
        crowd = Workers(run.endpoint(), workers, task_s)
        try:
            return _measure(run, process, crowd, workers, seconds, profile)
        finally:
            crowd.end()


def _measure(
    run: RunDir, process: psutil.Process, crowd: Workers, workers: int, seconds: float, profile: str
) -> Found:
    pid = process.pid
    joined = crowd.joined(pid)
    time.sleep(SETTLE_S / 2)
    rest = sum(_cpu_s(pid).values())
    time.sleep(SETTLE_S)
    resting = (sum(_cpu_s(pid).values()) - rest) / SETTLE_S
    root = Root(run.endpoint(), workers * AHEAD)
    root.run(SETTLE_S)
    crowd.seen()
    spy = _spy(pid, seconds, profile)
    before, began, done = _cpu_s(pid), time.monotonic(), crowd.seen()["done"]
    root.run(seconds)
    seen, took, after = crowd.seen(), time.monotonic() - began, _cpu_s(pid)
    if spy is not None:
        spy.wait()
    threads = {name: (value - before.get(name, 0.0)) / took for name, value in after.items()}
    share, rate, waits = sum(threads.values()), (seen["done"] - done) / took, seen["waits"]
    return Found(
        workers, joined, resting, rate, share, threads, share / rate * 1e6, own_bytes(pid),
        statistics.median(waits) * 1e3, waits[len(waits) * 99 // 100] * 1e3, seen["broken"],
        seen["late_s"] * 1e3,
        os.getloadavg()[0],
    )  # fmt: skip


def _spy(pid: int, seconds: float, profile: str) -> subprocess.Popen[bytes] | None:
    if not profile:
        return None
    command = ["py-spy", "record", "-d", str(int(seconds)), "-r", "200", "-f", "raw", "-o", profile]
    return subprocess.Popen([*command, "-p", str(pid)], stdout=subprocess.DEVNULL)


def possible(workers: int) -> int:
    """Raise the limit of descriptors as far as it goes; return how many workers there can be."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    spare = 200 + workers // HOST * FDS_OF_A_WORKER
    return min(workers, hard - spare, (hard - spare) * PROCESSES // FDS_OF_A_WORKER)


def show(found: list[Found], console: Console) -> None:
    """Print a table."""
    table = Table(box=None, pad_edge=False)
    for title in (
        "workers", "joined after, s", "at rest, % of a core", "tasks/s", "% of a core",
        "its threads, %", "µs a task", "memory, MB", "next task after, p50, ms", "p99, ms",
        "workers late, ms", "load",
    ):  # fmt: skip
        table.add_column(title, justify="right")
    for one in found:
        busy = sorted(one.threads.values(), reverse=True)
        table.add_row(
            f"{one.workers:,}", f"{one.joined_s:.1f}", f"{100 * one.resting_share:.1f}",
            f"{one.tasks_per_s:,.0f}", f"{100 * one.share:.1f}",
            " + ".join(f"{100 * each:.0f}" for each in busy[:3]), f"{one.us_per_task:.1f}",
            f"{one.memory_bytes / 1e6:.0f}", f"{one.wait_p50_ms:.1f}", f"{one.wait_p99_ms:.1f}",
            f"{one.late_ms:.0f}", f"{one.load:.1f}",
        )  # fmt: skip
    console.print(table)


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd", description=__doc__)
    parser.add_argument("--workers", type=int, action="append", help="may be given several times")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it is looked at")
    parser.add_argument("--task", type=float, default=1.0, help="what a task takes, in seconds")
    parser.add_argument("--quick", action="store_true", help="few workers, 3 s: does it work?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--profile", default="", metavar="FILE", help="py-spy's, raw")
    args = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    found = []
    for workers in args.workers or ([100] if args.quick else [1000, 3000, 10_000]):
        number = possible(workers)
        if number < workers:
            console.print(f"descriptors allow {number:,} workers, not {workers:,}", style="yellow")
        found.append(measure(number, 3.0 if args.quick else args.seconds, args.task, args.profile))
        show(found[-1:], console)
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
