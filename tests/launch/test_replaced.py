"""The package is replaced by another version, under a run that is at work."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest
from scoop_journal import Journal

from ..waiting import eventually
from .conftest import Shell

WAITING = """
import time
from pathlib import Path
from scoop_ft import futures

def work(number):
    while number and not Path("enough").exists():
        time.sleep(0.01)
    return number

if __name__ == "__main__":
    print(sum(futures.map(work, range(4))))
"""
OTHER = "import scoop_ft.wire.messages\nscoop_ft.wire.messages.PROTOCOL_VERSION += 1\n"


@pytest.fixture
def replaced(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that makes what starts from now on another version."""
    folder = shell.folder / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return folder / "sitecustomize.py"


def _workers(shell: Shell) -> list[dict[str, object]]:
    found = shell.type("status", "run", "--json")
    return list(json.loads(found.stdout)["workers"]) if not found.returncode else []


def test_status_of_another_version_says_that_it_is_one(shell: Shell, replaced: Path) -> None:
    """It was said that the broker does not answer, and that its workers were starting."""
    run = shell.start("run", "-n", "1", "--run-dir", "run", shell.script(WAITING))
    eventually(lambda: any(worker["state"] == "busy" for worker in _workers(shell)))
    replaced.write_text(OTHER)
    found = shell.type("status", "run")
    assert "served by another version of scoop-ft" in found.stdout.replace("\n", " ")
    assert "does not answer" not in found.stdout
    assert "starting" not in found.stdout
    replaced.unlink()
    (shell.folder / "enough").touch()
    assert run.wait(30) == 0


def test_a_worker_of_another_version_says_so_in_a_line(shell: Shell, replaced: Path) -> None:
    """It ended in a traceback, again and again."""
    run = shell.start("run", "-n", "1", "--run-dir", "run", shell.script(WAITING))
    eventually(lambda: any(worker["state"] == "busy" for worker in _workers(shell)))
    (worker,) = _workers(shell)
    replaced.write_text(OTHER)
    os.kill(int(str(worker["pid"])), signal.SIGKILL)
    eventually(lambda: "a worker ends: the run is served by another version" in shell.read("err"))
    replaced.unlink()
    (shell.folder / "enough").touch()
    assert run.wait(30) == 0  # a later start finds the right version again
    assert "Traceback" not in shell.read("err")
    assert shell.read("out") == "6\n"


def test_records_of_a_newer_version_are_refused_by_name(shell: Shell) -> None:
    """They were a traceback, also for who lists the other runs of the folder."""
    (shell.folder / "enough").touch()
    for name in ("old", "new"):
        assert not shell.type("run", "-n", "1", "--run-dir", name, shell.script(WAITING)).returncode
    with contextlib.closing(Journal.open(shell.folder / "new" / "journal")) as journal:
        journal.append(200, b"header")
        journal.commit()
    words = [
        ("status", "new"), ("resume", "new"), ("resume", "--dry-run", "new"), ("explain", "new"),
        ("journal", "ls", "new"), ("journal", "export", "new"), ("broker", "new"),
    ]  # fmt: skip
    for command in words:
        done = shell.type(*command)
        assert done.returncode in (1, 2), command
        (line,) = done.stderr.splitlines()
        assert line.startswith("scoop-ft: error: "), command
        assert "a record that this version of scoop-ft does not know" in line, command
    runs = shell.type("runs").stdout
    assert "unreadable" in runs
    assert "done" in runs
