"""A run that waits for one long task lets the machine sleep: laptops have batteries."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from scoop_ft.rundir import RunDir

from ..waiting import eventually

PROGRAM = Path(__file__).with_name("programs") / "waiting.py"
SETTLE_S = 3.0
LOOK_S = 4.0
MOST = 25  # times a second that a process is woken


def woken(pid: int) -> int:
    """Return how often the threads of a process have gone to sleep so far."""
    lines = [
        line
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))


@pytest.mark.skipif(sys.platform != "linux", reason="who is woken how often is not told")
@pytest.mark.usefixtures("nothing_left")
def test_nobody_is_woken_all_the_time(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "2", "--run-dir", str(run_dir)]
    run = subprocess.Popen([*command, str(PROGRAM), "60"], cwd=tmp_path)
    try:
        live = eventually(lambda: (found := RunDir(run_dir).live()) and found.root and found)
        time.sleep(SETTLE_S)
        pids = {"launcher": live.launcher.pid, "root": live.root.pid, "broker": live.broker.pid}
        before = {name: woken(pid) for name, pid in pids.items()}
        time.sleep(LOOK_S)
        rates = {name: (woken(pid) - before[name]) / LOOK_S for name, pid in pids.items()}
    finally:
        run.terminate()
        run.wait()
    assert max(rates.values()) < MOST, rates
