"""The workers of one machine, where they cannot be started."""

from __future__ import annotations

import os
from pathlib import Path

from scoop_ft.launch.host import Host
from scoop_ft.launch.output import Screen
from scoop_ft.launch.processes import Children

from ..waiting import eventually
from .test_status import make_run


def test_a_worker_that_cannot_be_started_leaves_nothing_open(tmp_path: Path) -> None:
    """It is tried again and again, for weeks: its folder is gone, say."""
    directory = make_run(tmp_path)
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
