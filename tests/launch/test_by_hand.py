"""A broker without a launcher: nobody takes its run from under it, and it says what it serves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import Any

import pytest

from scoop_ft.rundir import RunDir

from ..waiting import eventually
from .conftest import Shell

TASKS = 12
NAPS = f"""\
import sys, time
from pathlib import Path
from scoop_ft import futures

def nap(number):
    while number and not Path("go").exists():
        time.sleep(0.02)
    return number

if __name__ == "__main__":
    print(sum(futures.map(nap, range({TASKS}))))
"""


def status(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shell.type("status", "--json", "one").stdout)
    return found


def interrupted(shell: Shell) -> RunDir:
    """Return a run with tasks left to do whose launcher was killed."""
    launcher = shell.start("run", "-q", "-n", "1", "--run-dir", "one", shell.script(NAPS))
    run = RunDir(shell.folder / "one")
    eventually(lambda: run.run_json.exists() and status(shell)["tasks"]["done"] == 1)
    launcher.kill()
    launcher.wait()
    eventually(lambda: status(shell)["state"] == "interrupted")
    return run


def start_broker(shell: Shell) -> subprocess.Popen[bytes]:
    broker = shell.start("broker", "one", called="broker-")
    eventually(lambda: "not connected" in status(shell)["waiting"])  # it answers
    return broker


@pytest.mark.parametrize("command", [["resume"], ["serve"], ["broker"]])
def test_nobody_takes_its_run_from_it(shell: Shell, command: list[str]) -> None:
    interrupted(shell)
    broker = start_broker(shell)
    shell.start("worker", "one", "-n", "1", called="worker-")
    eventually(lambda: status(shell)["workers"])
    done = shell.type(*command, "one")
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        f"scoop-ft: error: a broker without a launcher serves the run in {shell.folder / 'one'} "
        f"(process {broker.pid} on {socket.gethostname()}): add workers with "
        f"'scoop-ft worker one', or end it first ('kill {broker.pid}')\n"
    )
    found = status(shell)
    assert (found["state"], len(found["workers"])) == ("running", 1)
    assert (found["launcher"]["pid"], found["broker"]["pid"]) == (None, broker.pid)
    assert "no broker answers" not in shell.read("worker-err")


def test_it_says_what_it_serves_and_the_run_goes_on_after_it(shell: Shell) -> None:
    run = interrupted(shell)
    broker = start_broker(shell)
    said = shell.read("broker-err")
    assert said.startswith(
        f"scoop-ft: serving run {run.info().run}, 1 done, {TASKS - 1} pending, 0 failed: workers "
        "join with 'scoop-ft worker one', and wait: its script is not started by this"
    )
    assert said.count("\n") == 1
    broker.send_signal(signal.SIGINT)
    assert broker.wait(10) == 0
    assert shell.read("broker-err") == said
    (shell.folder / "go").touch()
    done = shell.type("resume", "one")
    assert (done.returncode, done.stdout) == (0, f"{sum(range(TASKS))}\n"), done.stderr


def test_a_run_that_is_over_is_refused(shell: Shell) -> None:
    assert shell.type("run", "--run-dir", "one", shell.script("")).returncode == 0
    done = shell.type("broker", "one")
    assert done.returncode == 2
    assert "is over (exit code 0), and no worker has anything to do" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (shell.folder / "one" / "live.json").exists()
