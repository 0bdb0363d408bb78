"""Who holds on to the lifeline dies with the launcher, whatever it is doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from scoop_ft import lifeline

from ..waiting import eventually

LIMIT_S = 2.0

# A launcher that starts one child on a lifeline, says what the child says, and stays.
LAUNCHER = """
    import os, subprocess, sys, time
    from scoop_ft.launch.processes import Children
    child = Children().start(
        "worker", [sys.executable, "-c", sys.argv[1]], os.environ, cwd="/",
        own_group=True, stdout=None, stderr=None,
    )
    time.sleep(1000)
"""

HOLD = "import os, sys, time; from scoop_ft.lifeline import hold; hold()\n"
SLEEPER = HOLD + "print(os.getpid(), flush=True); time.sleep(1000)"
BUSY_IN_C = HOLD + "print(os.getpid(), flush=True); pow(3, 10**9)"
PARENT = HOLD + (
    "import subprocess\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
    "print(os.getpid(), p.pid, flush=True); time.sleep(1000)"
)
NOT_YET = "import os, time; print(os.getpid(), flush=True); time.sleep(1000)"  # it is just starting
THREAD = SLEEPER.replace("hold()\n", "sys.platform = 'elsewhere'; hold()\n")


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pids: list[int]) -> None:
    eventually(lambda: all(is_gone(pid) for pid in pids), within_s=LIMIT_S)


@pytest.mark.parametrize(
    "program",
    [SLEEPER, BUSY_IN_C, PARENT, THREAD, NOT_YET],
    ids=["sleeping", "in C with the GIL", "with a grandchild", "by thread", "not holding yet"],
)
def test_kill_9_of_the_launcher_ends_the_child(program: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LAUNCHER), program], stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout is not None
        pids = [int(word) for word in launcher.stdout.readline().split()]
        assert pids
        launcher.kill()
        launcher.wait()
        wait_until_gone(pids)


def test_a_child_that_starts_after_the_launcher_died_ends_at_once() -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    child = subprocess.run(
        [sys.executable, "-c", HOLD + "print('alive')"],
        env={**os.environ, lifeline.VARIABLE: str(read_end)},
        pass_fds=(read_end,),
        start_new_session=True,
        capture_output=True,
        timeout=30,
    )
    os.close(read_end)
    assert child.returncode == -signal.SIGKILL
    assert child.stdout == b""


def test_without_a_lifeline_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lifeline.VARIABLE, raising=False)
    assert lifeline.hold() is False


def test_the_variable_is_not_inherited_further(tmp_path: Path) -> None:
    program = HOLD + f"print({lifeline.VARIABLE!r} in os.environ, flush=True); time.sleep(1000)"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LAUNCHER), program], stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"False\n"
        launcher.kill()
