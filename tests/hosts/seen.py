"""Scripts to run on hosts, and what is seen of a run there: its agents, its ssh processes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psutil
from scoop_chaos.runs import POLL_S

from scoop_ft.launch.hosts.line import AGENT
from scoop_ft.rundir import RunDir, find_runs

from .conftest import HostsRun

LIMIT_S = 60.0

COUNT = """
import os, pathlib, sys, time
from scoop_ft import futures

def work(number):
    while {gated} and not pathlib.Path("go").exists():
        time.sleep(0.02)
    print("task", number, flush=True)
    print("told by", number, file=sys.stderr, flush=True)
    time.sleep({pause})
    return os.getppid()

if __name__ == "__main__":
    agents = list(futures.map(work, range({tasks})))
    print("agents", len(set(agents)), "tasks", len(agents))
"""

WAITING = """
import pathlib, sys, time
from scoop_ft import futures

def work(number):
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return number * number

if __name__ == "__main__":
    print(sum(futures.map(work, range(12))))
"""
SQUARES = "506\n"


def agents_in(folder: Path) -> list[psutil.Process]:
    """Return the agents that ssh has started, which work in the run's folder as it is here too."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if AGENT in (process.info["cmdline"] or []) and _folder_of(process) == folder
    ]


def _folder_of(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def sshs_of(run: HostsRun) -> list[psutil.Process]:
    """Return the ssh processes of the launcher that runs."""
    launcher = psutil.Process(run.status()["launcher"]["pid"])
    return [child for child in launcher.children() if child.name() == "ssh"]


def up(run: HostsRun, workers: int) -> list[dict[str, object]]:
    """Wait until so many workers are idle or busy; return them."""
    found = run.wait_until(
        lambda s: sum(w["state"] in ("idle", "busy") for w in s["workers"]) >= workers
    )
    return list(found["workers"])


def directory(run: HostsRun) -> RunDir:
    return find_runs(run.folder)[-1]


def wait_for(run: HostsRun, text: str, limit: float = LIMIT_S) -> None:
    """Wait until a line was said."""
    deadline = time.monotonic() + limit
    while not re.search(text, run.errors):
        assert time.monotonic() < deadline, f"never said: {text}\n{run.errors}"
        assert not run.has_ended() or re.search(text, run.errors), run.errors
        time.sleep(POLL_S)


def shortened(folder: Path, name: str, seconds: float) -> str:
    """Return a folder with which the agents' Python waits less long for something."""
    shorter = folder / "shorter"
    shorter.mkdir()
    (shorter / "sitecustomize.py").write_text(
        f"import scoop_ft.launch.standalone as agent\nagent.{name} = {seconds}\n"
    )
    return str(shorter)
