"""Who is faster than another waits for it: what lies between them is on disk, not in memory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND, LIMIT_S, RunProcess

from scoop_ft.rundir import find_runs

from .memory import Watch
from .slow_link import SlowLink

PROGRAMS = Path(__file__).with_name("programs")
CALLS = 200  # of 1 MB: all of it in the memory of one process would be above these
# 64 MB that no sync has covered, twice 32 MB of results, what Python takes, and some.
MOST_MB = {"root": 170, "broker": 150, "worker": 100}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def within(peaks: dict[str, float], more_mb: int = 0) -> bool:
    print({name: round(peak) for name, peak in peaks.items()})
    assert peaks.keys() == MOST_MB.keys()
    return all(peak < MOST_MB[name] + more_mb for name, peak in peaks.items())


def test_a_script_that_submits_faster_than_can_be_run(run_process: RunProcess) -> None:
    run_process.start("-q", "-n", "2", PROGRAMS / "endless.py", str(CALLS))
    with Watch(run_process.command_pid) as watch:
        assert run_process.finish() == "submitted\n"
    assert within(watch.peaks), watch.peaks


def test_a_script_that_takes_results_late(run_process: RunProcess, tmp_path: Path) -> None:
    (tmp_path / "ran").mkdir()
    script = PROGRAMS / "slow_consumer.py"
    run_process.start("-q", "-n", "2", script, str(CALLS), tmp_path / "ran")
    with Watch(run_process.command_pid) as watch:
        assert run_process.finish() == "taken\n"
    assert within(watch.peaks), watch.peaks


class FarWorker:
    """A worker whose wire to the broker is slow."""

    def __init__(self, run: RunProcess) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self._run = run
        self._link = SlowLink(port, 16e6)
        self._agent: subprocess.Popen[bytes] | None = None

    def join(self) -> int:
        """Start it; return the process id of its agent."""
        folder = self._run.folder / "far"
        folder.mkdir()
        keys = shutil.copytree(find_runs(self._run.folder)[-1].keys, folder / "keys")
        words = ["worker", "-n", "1", self._link.address, "--keys", str(keys)]
        self._agent = subprocess.Popen([*COMMAND, *words], cwd=folder)
        return self._agent.pid

    def end(self) -> None:
        self._link.close()
        if self._agent is not None:
            self._agent.kill()
            self._agent.wait(LIMIT_S)


@pytest.fixture
def far_worker(run_process: RunProcess) -> Iterator[FarWorker]:
    one = FarWorker(run_process)
    yield one
    one.end()


def test_a_worker_behind_a_slow_link(
    run_process: RunProcess, far_worker: FarWorker, tmp_path: Path
) -> None:
    script = PROGRAMS / "far.py"
    go = tmp_path / "go"
    run_process.start("-q", "-n", "1", "--listen", far_worker.address, script, "100", go)
    run_process.wait_until(lambda found: found["workers"])
    agent = far_worker.join()
    run_process.wait_until(lambda found: len(found["workers"]) == 2)
    with Watch(run_process.command_pid) as watch, Watch(agent) as far:
        go.touch()
        assert run_process.finish() == "done\n"
    print({name: round(peak) for name, peak in far.peaks.items()})
    # 400 MB go there and back; what malloc keeps of arrays of 4 MB that were freed comes and goes.
    assert within(watch.peaks, more_mb=90), watch.peaks
    assert far.peaks["worker"] < MOST_MB["worker"], far.peaks
