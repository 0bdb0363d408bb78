"""What a run is said to be like in the moments in which it begins and ends."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

import psutil
import pytest

from scoop_ft.launch.lock import RunLock
from scoop_ft.launch.status import status
from scoop_ft.launch.tables import show
from scoop_ft.rundir import Live, LiveProcess, RunDir, RunInfo

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def make_run(tmp_path: Path) -> RunDir:
    directory = RunDir(tmp_path / "run")
    directory.create(
        RunInfo(
            run="a-run", script="study.py", args=[], cwd=str(tmp_path), seed=1, workers=1,
            python="python3", created=time.time(), max_attempts=3, path=str(tmp_path),
        )
    )  # fmt: skip
    return directory


def promised() -> tuple[set[str], dict[str, set[str]]]:
    """Return the keys of the guide's table, and those that each of its lines names below one."""
    table = GUIDE.read_text().partition("| key | value |")[2].partition("\n\n")[0]
    keys, below = set[str](), dict[str, set[str]]()
    for line in table.splitlines()[2:]:
        left, right = line.split("|")[1:3]
        named = re.findall(r"`(\w+)`", left)
        keys |= set(named)
        below.update({key: set(re.findall(r"`(\w+)`", right)) for key in named})
    return keys, below


def test_all_promised_keys_are_there_whether_a_run_is_alive_or_not(tmp_path: Path) -> None:
    keys, below = promised()
    assert "waiting" in keys
    assert "copies" in below["tasks"]
    found = status(make_run(tmp_path))
    assert keys <= set(found)
    for key in ("tasks", "journal", "launcher", "root", "broker"):
        assert below[key] <= set(found[key]), key


def test_a_worker_that_has_just_been_started_has_the_promised_keys(tmp_path: Path) -> None:
    directory = make_run(tmp_path)
    me = LiveProcess(pid=os.getpid(), created=psutil.Process().create_time(), id="w")
    live = Live(host=socket.gethostname(), launcher=me, workers=[me])
    lock = RunLock(directory)
    lock.acquire()
    directory.save_live(live)
    try:
        (worker,) = status(directory)["workers"]
    finally:
        lock.release()
    assert promised()[1]["workers"] <= set(worker)


def test_the_line_of_a_script_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = make_run(tmp_path)
    found = {**status(directory), "script": "/long/" * 30 + "study.py"}
    show(found)
    assert f"script {found['script']}\n" in capsys.readouterr().out


def test_a_run_whose_broker_has_no_address_just_now(tmp_path: Path) -> None:
    """Its launcher lives: it has not chosen one yet, or has dropped it at the end."""
    directory = make_run(tmp_path)
    lock = RunLock(directory)
    lock.acquire()
    try:
        found = status(directory)
    finally:
        lock.release()
    assert found["state"] == "running"
    assert found["waiting"] == "the broker is being started"
