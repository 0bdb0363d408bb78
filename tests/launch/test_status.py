"""What a run is said to be like in the moments in which it begins and ends."""

from __future__ import annotations

import time
from pathlib import Path

from scoop_ft.launch.lock import RunLock
from scoop_ft.launch.status import status
from scoop_ft.rundir import RunDir, RunInfo


def test_a_run_whose_broker_has_no_address_just_now(tmp_path: Path) -> None:
    """Its launcher lives: it has not chosen one yet, or has dropped it at the end."""
    directory = RunDir(tmp_path / "run")
    directory.create(
        RunInfo(
            run="a-run", script="study.py", args=[], cwd=str(tmp_path), seed=1, workers=1,
            python="python3", created=time.time(), max_attempts=3, path=str(tmp_path),
        )
    )  # fmt: skip
    lock = RunLock(directory)
    lock.acquire()
    try:
        found = status(directory)
    finally:
        lock.release()
    assert found["state"] == "running"
    assert found["waiting"] == "the broker is being started"
