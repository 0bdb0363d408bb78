"""A disk that is full before a run is started or resumed: said in one line, and nothing is left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Shell

SCRIPT = "import sys\nsys.exit(3)\n"


@pytest.fixture
def disk(shell: Shell) -> Iterator[Path]:
    """A file system of a few megabytes in the shell's folder."""
    place = shell.folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all room of a disk."""
    ballast = disk / "ballast"
    left = os.statvfs(disk)
    ballast.write_bytes(bytes(left.f_bavail * left.f_frsize))
    return ballast


def test_no_run_directory_is_left_that_the_next_try_would_refuse(shell: Shell, disk: Path) -> None:
    ballast = fill(disk)
    script = shell.script(SCRIPT)
    done = shell.type("run", "-q", "-n", "1", "--run-dir", "disk/run", script)
    assert (done.returncode, done.stderr) == (
        2,
        f"scoop-ft: error: cannot make the run directory {disk / 'run'}: No space left on device; "
        "make room there\n",
    )
    assert os.listdir(disk) == [ballast.name]
    ballast.unlink()
    done = shell.type("run", "-q", "-n", "1", "--run-dir", "disk/run", script)
    assert done.returncode == 3, done.stderr


@pytest.mark.parametrize(("workers", "file"), [("1", "endpoint"), ("2", "run.json")])
def test_a_resume_says_what_it_cannot_write(
    shell: Shell, disk: Path, workers: str, file: str
) -> None:
    run = ["-q", "-n", "1", "--run-dir", "disk/run", shell.script(SCRIPT)]
    assert shell.type("run", *run).returncode == 3
    ballast = fill(disk)
    resume = ["resume", "-q", "-n", workers, "disk/run"]
    done = shell.type(*resume)
    assert (done.returncode, done.stderr) == (
        2,
        f"scoop-ft: error: cannot write {disk / 'run' / file}: No space left on device; "
        "make room there\n",
    )
    ballast.unlink()
    assert shell.type(*resume).returncode == 3
