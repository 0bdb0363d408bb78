"""What a run is said to be like in the moments in which it begins and ends."""

from __future__ import annotations

import re
import time
from pathlib import Path

from scoop_ft.launch.lock import RunLock
from scoop_ft.launch.status import status
from scoop_ft.rundir import RunDir, RunInfo

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


def promised() -> tuple[set[str], set[str]]:
    """Return the keys of the guide's table, and those of its line about tasks."""
    table = GUIDE.read_text().partition("| key | value |")[2].partition("\n\n")[0]
    keys, tasks = set[str](), set[str]()
    for line in table.splitlines()[2:]:
        left, right = line.split("|")[1:3]
        keys |= set(re.findall(r"`(\w+)`", left))
        if "`tasks`" in left:
            tasks = set(re.findall(r"`(\w+)`", right))
    return keys, tasks


def test_all_promised_keys_are_there_whether_a_run_is_alive_or_not(tmp_path: Path) -> None:
    keys, tasks = promised()
    assert "waiting" in keys
    assert "copies" in tasks
    found = status(make_run(tmp_path))
    assert keys <= set(found)
    assert tasks <= set(found["tasks"])


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
