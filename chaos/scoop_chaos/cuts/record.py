"""Records a real run: the shim in its broker, a kill of the broker on the way, the answer compared.

What is returned is the log and what follows from it; no cut is made here.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from scoop_chaos.runs import LIMIT_S, POLL_S, RunFailed, RunProcess, require
from scoop_chaos.signals import send

from .history import History
from .log import Event, Kind, first_failure, read
from .preload import build, environment
from .promises import Promises
from .speech import listen

SCRIPT = Path(__file__).with_name("script.py")
WORKERS = 3


class Recording:
    """What a run's brokers did, and what follows from it.

    Parameters
    ----------
    folder : Path
        The one that the run was started in.
    until_failure : bool
        Leave out what was done to the file from the first failure on: a file system that was shut
        down keeps nothing of it, but shows some of it until it is unmounted.
    """

    def __init__(self, folder: Path, *, until_failure: bool = False) -> None:
        self.events: list[Event] = read(folder / "log")
        stop = first_failure(self.events) if until_failure else len(self.events)
        self.history = History(self.events[:stop], folder / "scratch")
        self.promises = Promises(listen(self.events))

    @property
    def brokers(self) -> int:
        """How many there were."""
        return sum(event.kind is Kind.BEGUN for event in self.events)


def record(folder: Path, draw: Random, size: Sequence[int], *, kill: bool = True) -> Recording:
    """Run the script with its broker watched, and killed once on the way; return the recording.

    Parameters
    ----------
    folder : Path
        An empty folder.
    draw : Random
        Decides when the broker is killed.
    size : sequence of int
        The script's arguments.
    kill : bool
        False: it is not killed.
    """
    run = watched_run(folder)
    try:
        start(run, size)
        if kill:
            kill_broker(run, folder / "log", draw.randint(1 << 18, 1 << 20))
        require_answer(run, size)
    finally:
        run.end()
    return Recording(folder)


def watched_run(folder: Path, environ: Mapping[str, str] | None = None) -> RunProcess:
    """Return a run, not started yet, with the shim in its broker."""
    return RunProcess(folder, environ or environment(build(folder.parent), folder))


def start(run: RunProcess, size: Sequence[int], *options: str) -> None:
    """Start the script in a run."""
    run.start("-q", "-n", str(WORKERS), *options, str(SCRIPT), *map(str, size))


def kill_broker(run: RunProcess, logs: Path, after: int) -> None:
    """Kill the first broker when it has done and said so much; a run that ends before is fine."""
    deadline = time.monotonic() + LIMIT_S
    while not run.has_ended():
        first = min(logs.iterdir(), default=None)
        if first is not None and first.stat().st_size > after:
            send(int(first.name.split(".")[-1]), signal.SIGKILL)
            return
        if time.monotonic() > deadline:
            raise RunFailed(f"no broker did much within {LIMIT_S} s: {run.errors[-2000:]}")
        time.sleep(POLL_S)


def require_answer(run: RunProcess, size: Sequence[int]) -> None:
    """Wait for a good end, and for the answer of a serial run."""
    found, wanted = run.finish().strip(), serial_answer(size)
    require(found == wanted, lambda: f"the answer is {found!r}, a serial run's is {wanted!r}")


def serial_answer(size: Sequence[int]) -> str:
    """Run the script serially; return its answer."""
    words = [sys.executable, "-W", "ignore", str(SCRIPT), *map(str, size)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
