"""``python -m tests.bench.millions [--quick] [--only ROW]``: what a million tasks ask for.

Three rows, with real processes and real kills, journal synced:

- ``queued``: ten million tasks queued, then run: the broker's memory, and the rate beside that of
  a hundred thousand.
- ``resumed``: a script whose first million calls are recorded: from the start of ``scoop-ft
  resume`` to the beginning of its first new task, and how fast the million was replayed.
- ``restarted``: a broker killed with a million tasks finished and a million pending: from the start
  of the next one to its first answer.

``slow`` are tasks that end one by one, as those of a second do: the journal of such a run is made
here, by the broker's own code, since the run itself would take weeks.
Memory is what the broker has of its own (RssAnon); VmHWM counts the journal's mapped pages too.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from scoop_journal import Journal

from scoop_ft.broker.core import Broker
from scoop_ft.client.asking import ask
from scoop_ft.errors import RunError
from scoop_ft.rundir import RunDir
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import encode

PROGRAM = Path(__file__).parent / "programs" / "millions.py"
COMMAND = (sys.executable, "-m", "scoop_ft")
LIMIT_S = 1_800.0
CASES = (  # shape, bytes of a result
    ("map", 8), ("map", 1_000), ("maps", 8), ("submits", 8), ("tree", 8), ("slow", 8),
    ("again", 8),
)  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")


class Run:
    """A run of the program in a folder of its own."""

    def __init__(self, folder: Path, shape: str, tasks: int, size: int, mode: str) -> None:
        self.folder = folder
        self.directory = RunDir(folder / "run")
        self._script = [str(PROGRAM), shape, str(tasks), str(size), str(folder), mode]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Type ``scoop-ft run``."""
        self._type("run", "-q", "-n", "2", "--run-dir", "run", *self._script)

    def resume(self) -> None:
        """Type ``scoop-ft resume``."""
        self._type("resume", "-q", "run")

    def _type(self, *words: str) -> None:
        self._process = subprocess.Popen([*COMMAND, *words], cwd=self.folder)

    def wait(self, code: int) -> None:
        """Wait for its end."""
        assert self._process is not None
        assert self._process.wait(LIMIT_S) == code

    def wait_for(self, found: Callable[[], Any]) -> Any:
        """Wait until something is there, and return it; the run must not end before."""
        assert self._process is not None
        deadline = time.monotonic() + LIMIT_S
        while not (there := found()):
            assert self._process.poll() is None, "the run ended before"
            assert time.monotonic() < deadline, "it does not come"
            time.sleep(0.05)
        return there

    def tasks(self) -> dict[str, int]:
        """Return the broker's counts; zeros while it does not answer."""
        stats = None
        with suppress(RunError):  # there is no run directory yet
            stats = ask(self.directory, 5.0)
        return stats["tasks"] if stats else dict.fromkeys(("submitted", "done", "pending"), 0)

    def broker(self) -> int:
        """Return the broker's process id; 0: none that is known."""
        live = None
        with suppress(RunError):
            live = self.directory.live()
        return live.broker.pid if live is not None and live.broker is not None else 0

    def time_of(self, name: str) -> float:
        """Return when the script has done something; 0: not yet."""
        with suppress(FileNotFoundError):
            return float(json.loads((self.folder / "times").read_text()).get(name, 0.0))
        return 0.0

    def kill(self) -> None:
        """Kill the launcher, and all processes with it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        broker = self.broker()
        while broker and Path(f"/proc/{broker}").exists():
            time.sleep(0.01)


def memory(pid: int) -> dict[str, float]:
    """Return what a process has of its own, and its peak with mapped files, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) / 1_000 for name in ("RssAnon", "VmHWM")}


def started(pid: int) -> float:
    """Return when a process was started, in seconds since the machine was."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / TICKS


def busy_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# ---- the rows ------------------------------------------------------------------------------


def queued(folder: Path, tasks: int) -> dict[str, float]:
    """Queue tasks, then let them run."""
    run = Run(folder, "map", tasks, 8, "gated")
    before, began = _used_s(), time.time()
    run.start()
    run.wait_for(lambda: run.tasks()["submitted"] >= tasks + 2)
    in_queue, pid = time.time() - began, run.broker()
    peak = own = memory(pid)
    gone = time.time()
    (folder / "go").touch()

    def look() -> float:
        nonlocal peak
        with suppress(FileNotFoundError, KeyError):  # it has just ended
            now = memory(pid)
            peak = {name: max(now[name], peak[name]) for name in now}
        return run.time_of("taken")

    taken = run.wait_for(look)
    run.wait(0)
    return {
        "queued_after_s": in_queue, "queued_own_MB": own["RssAnon"], "own_MB": peak["RssAnon"],
        "peak_MB": peak["VmHWM"], "rate": tasks / (taken - gone),
        "busy_us_a_task": (_used_s() - before) / tasks * 1e6,
        "second_tenth": tasks / 10 / (run.time_of("tenth 2") - run.time_of("tenth 1")),
        "last_tenth": tasks / 10 / (run.time_of("tenth 10") - run.time_of("tenth 9")),
    }  # fmt: skip


def _used_s() -> float:
    """Return the processor time of all runs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resumed(folder: Path, tasks: int, shape: str, size: int) -> dict[str, float]:
    """Resume a script that goes on with a new call."""
    run = Run(folder, "map" if shape == "slow" else shape, tasks, size, "resumed")
    run.start()
    if shape == "slow":
        let_end_one_by_one(run, tasks, size)
        (folder / "again").touch()
    else:
        run.wait(1)
    began = time.time()
    run.resume()
    run.wait(0)
    first = float((folder / "new").read_text())
    return {
        "first_new_s": first - began,
        "script_began_s": run.time_of("began") - began,
        "replay_rate": tasks / (run.time_of("taken") - run.time_of("began")),
        "journal_MB": (folder / "run" / "journal" / "data.mdb").stat().st_size / 1e6,
    }


def restarted(folder: Path, tasks: int, shape: str, size: int) -> dict[str, float]:
    """Kill the broker with as many tasks finished as pending."""
    mode = "restarted"
    run = Run(folder, "map" if shape == "slow" else shape, tasks, size, mode)
    run.start()
    if shape == "slow":
        let_end_one_by_one(run, tasks, size)
        run.resume()
    top = tasks // 1_000 if shape == "tree" else tasks
    run.wait_for(lambda: run.tasks()["submitted"] >= 2 * top + 2)
    pid, killed = run.broker(), time.clock_gettime(time.CLOCK_BOOTTIME)
    own = memory(pid)["RssAnon"]
    os.kill(pid, signal.SIGKILL)
    while ask(run.directory, 60.0) is None:
        pass
    answered = time.clock_gettime(time.CLOCK_BOOTTIME)
    again = run.wait_for(lambda: run.broker() not in (0, pid) and run.broker())
    figures = {
        "accepting_s": answered - started(again), "since_the_kill_s": answered - killed,
        "busy_s": busy_s(again), "own_before_MB": own, "own_after_MB": memory(again)["RssAnon"],
    }  # fmt: skip
    (folder / "go").touch()
    run.wait(0)
    return figures


# ---- a run that would have taken weeks -----------------------------------------------------


def let_end_one_by_one(run: Run, tasks: int, size: int) -> None:
    """Kill a run when it has submitted all; record its tasks' results, each said by itself."""
    live = run.wait_for(lambda: run.broker() and run.directory.live())
    for worker in live.workers:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGSTOP)  # what they have done by then counts as it came
    run.wait_for(lambda: run.tasks()["submitted"] >= tasks)
    run.kill()
    with Journal.open(run.directory.journal) as journal:
        broker = Broker(journal, journal.run, incarnation=2)
        broker.recover(journal.scan(payloads=False), resume=True, now=0.0)
        _say_results(broker, journal, size)


def _say_results(broker: Broker, journal: Journal, size: int) -> None:
    """Be a worker that tells of each result as it ends; commit now and then."""
    session = bytes(8)
    hello = wire.Hello(wire.PROTOCOL_VERSION, session, "worker", "here", 1, b"", [], [], 1)
    broker.on_message(session, hello, b"", (), 0.0)
    number = 0
    for batch in list(broker.book.batches.values()):
        for index in range(batch.count):
            value: object = batch.first + index
            if size > 8:
                value = int(batch.first + index).to_bytes(size, "little")
            data, number = pickle.dumps(value, 5), number + 1
            ends = len(data).to_bytes(4, "little")
            said = wire.Results(
                number, batch.id, [(index, index + 1)], b"", ends, [], 1, 10**9, False
            )
            broker.on_message(session, said, encode(said), [data], 0.0)
            if number % 500 == 0:
                _commit(broker, journal)
    _commit(broker, journal)


def _commit(broker: Broker, journal: Journal) -> None:
    broker.take_outbox()
    broker.drop_records()
    journal.commit()
    broker.on_committed()


# ---- showing -------------------------------------------------------------------------------


def show(name: str, figures: dict[str, float]) -> None:
    """Print one line, with what else the machine did."""
    words = ", ".join(f"{key} {value:,.3g}" if value < 1_000 else f"{key} {value:,.0f}"
                      for key, value in figures.items())  # fmt: skip
    print(f"{name}: {words} (load {os.getloadavg()[0]:.1f})", flush=True)


def measured(row: Callable[..., dict[str, float]], *args: Any) -> dict[str, float]:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
        return row(Path(name).resolve(), *args)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.millions")
    parser.add_argument("--quick", action="store_true", help="a hundredth: does it work?")
    parser.add_argument("--only", choices=("queued", "resumed", "restarted"))
    parser.add_argument("--case", action="append", help="shape:bytes, such as map:1000")
    args = parser.parse_args()
    share = 100 if args.quick else 1
    rows = {"resumed": resumed, "restarted": restarted}
    cases = [(s, int(n)) for s, n in (c.split(":") for c in args.case)] if args.case else CASES
    if args.only in (None, "queued"):
        for tasks in (100_000 // share, 1_000_000 // share, 10_000_000 // share):
            show(f"{tasks:,} queued, then run", measured(queued, tasks))
    for name, row in rows.items():
        for shape, size in cases if args.only in (None, name) else ():
            figures = measured(row, 1_000_000 // share, shape, size)
            show(f"{name}, {1_000_000 // share:,} {shape}, {size} bytes", figures)


if __name__ == "__main__":
    main()
