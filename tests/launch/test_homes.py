"""The temporary folder of an agent goes with it, whatever asks it to end, and how often."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scoop_ft.errors import RunError
from scoop_ft.launch.homes import temporary_home

LIMIT_S = 30.0
FILES = 20_000  # so many that their removal takes its time

PROGRAM = f"""
import os, sys, time
from scoop_ft.launch.homes import temporary_home

def late(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "__exit__":
        sys.setprofile(None)
        print("ready", flush=True)
        os.kill(os.getpid(), int(sys.argv[2]))

with temporary_home() as home:
    for number in range({FILES}):
        open(home.path / str(number), "w").close()
    if sys.argv[1] == "late":
        sys.setprofile(late)
    else:
        print("ready", flush=True)
    if sys.argv[1] == "waits":
        time.sleep(60)
"""


def test_without_room_for_it_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(RunError, match=r"No space left on device.*TMPDIR"), temporary_home():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(RunError, match="TMPDIR"), temporary_home():
        pass


def start(folder: Path, program: str) -> subprocess.Popen[bytes]:
    """Start a program with its temporary folders in ``folder``, and wait until it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, "waits"],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
    return process


def test_those_of_another_machine_are_let_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared folder for temporary files may have locks that no other machine sees."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(socket, "gethostname", lambda: "node1")
    with temporary_home() as home:
        left = Path(shutil.copytree(home.path, f"{home.path}1"))
    for other in ("node", "node1-2", "node2"):
        monkeypatch.setattr(socket, "gethostname", lambda name=other: name)
        with temporary_home():
            assert left.exists()
    monkeypatch.setattr(socket, "gethostname", lambda: "node1")
    with temporary_home():
        assert not left.exists()


def test_what_one_that_was_killed_has_left_goes_with_the_next(tmp_path: Path) -> None:
    program = PROGRAM.replace(str(FILES), "1")
    (tmp_path / "scoop-ft-worker-of-another-version").mkdir()
    killed, living = start(tmp_path, program), start(tmp_path, program)
    assert len(list(tmp_path.iterdir())) == 3
    killed.kill()
    killed.wait(LIMIT_S)
    third = start(tmp_path, program)
    assert len(list(tmp_path.iterdir())) == 3, "that of the killed one has gone, no other"
    for process in (living, third):
        process.terminate()
        process.wait(LIMIT_S)
    assert [path.name for path in tmp_path.iterdir()] == ["scoop-ft-worker-of-another-version"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("what", ["waits", "ends", "late"])
def test_asked_to_end_again_and_again_it_leaves_nothing(
    tmp_path: Path, number: int, what: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what, str(int(number))],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + LIMIT_S
        while list(tmp_path.iterdir()):
            process.send_signal(number)
            assert time.monotonic() < deadline
            assert process.poll() is None or not list(tmp_path.iterdir()), "it left its folder"
            time.sleep(0.001)
    process.wait(LIMIT_S)
    assert list(tmp_path.iterdir()) == []
