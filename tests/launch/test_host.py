"""The workers of one machine, where they cannot be started."""

from __future__ import annotations

import os
import time
from pathlib import Path

from scoop_ft.launch.host import Host
from scoop_ft.launch.output import Screen
from scoop_ft.launch.processes import Children
from scoop_ft.rundir import RunDir, RunInfo

from ..waiting import eventually


def test_a_worker_that_cannot_be_started_leaves_nothing_open(tmp_path: Path) -> None:
    """It is tried again and again, for weeks: its folder is gone, say."""
    directory = RunDir(tmp_path / "run")
    directory.create(
        RunInfo(
            run="a-run", script="study.py", args=[], cwd=str(tmp_path), seed=1, workers=1,
            python="python3", created=time.time(), max_attempts=3, path=str(tmp_path),
        )
    )  # fmt: skip
    screen = Screen(quiet=True)
    nowhere = str(tmp_path / "gone")
    host = Host(directory, 1, dict(os.environ), nowhere, Children(), screen)
    open_before = len(os.listdir("/dev/fd"))

    def was_tried_again() -> bool:
        host.tick()
        return host.agent.restarts >= 4

    eventually(was_tried_again)
    screen.close()
    assert len(os.listdir("/dev/fd")) <= open_before
    assert not list(directory.slates.iterdir())
