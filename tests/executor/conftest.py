"""Executors, programs that use one, and the processes of their runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND

from scoop_ft import Executor
from scoop_ft.rundir import Live, RunDir

from ..waiting import eventually

LIMIT_S = 60.0


class Program:
    """A plain Python program in a folder, to be started and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self._started: list[subprocess.Popen[str]] = []

    def write(self, text: str, name: str = "program.py") -> None:
        (self.folder / name).write_text(text)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start it with plain Python."""
        process = subprocess.Popen(
            [sys.executable, *(command or ("program.py",))],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(self, *command: str) -> tuple[str, str, int]:
        """Run it to its end; return what it printed, what it said, its exit code."""
        process = self.start(*command)
        out, err = process.communicate(timeout=LIMIT_S)
        return out, err, process.returncode

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def live(run_dir: Path) -> Live:
    """Wait until the run's processes are known; return them."""

    def complete() -> Live | None:
        found = RunDir(run_dir).live()
        whole = found is not None and found.broker is not None and found.workers
        return found if whole else None

    found = eventually(complete)
    assert found is not None
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def wait_until(there: Path) -> None:
    """Wait for a file."""
    eventually(there.exists, lambda: there)


def done(run_dir: Path) -> int:
    """Return how many tasks the journal of a living run holds as done."""
    said = subprocess.run(
        [*COMMAND, "status", "--json", str(run_dir)], capture_output=True, text=True, check=True
    )
    return int(json.loads(said.stdout)["tasks"].get("done", 0))


def wait_gone(pids: list[int]) -> None:
    def living() -> list[int]:
        return [p for p in pids if Path(f"/proc/{p}").exists() and "Z" not in _state(p)]

    eventually(lambda: not living(), living, within_s=10.0)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    with Executor(max_workers=2, run_dir=tmp_path_factory.mktemp("shared") / "run") as executor:
        yield executor


@pytest.fixture
def own(tmp_path: Path, nothing_left: None) -> Iterator[Executor]:
    executor = Executor(max_workers=2, run_dir=tmp_path / "run")
    yield executor
    executor.shutdown(cancel_futures=True)


@pytest.fixture
def program(tmp_path: Path, nothing_left: None) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    made.end()
