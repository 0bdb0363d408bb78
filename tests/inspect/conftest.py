"""One run, made once, whose journal is looked into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
LIMIT_S = 90.0
COMMAND = (sys.executable, "-m", "scoop_ft")
Said = subprocess.CompletedProcess[str]


def type_in(folder: Path, *words: object) -> Said:
    """Run a command of scoop-ft to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run ``r`` of ``study.py``; nothing of it is running."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("study.py", "lab.py"):
        shutil.copy(PROGRAMS / name, folder)
    done = type_in(folder, "run", "-q", "-n", "2", "--run-dir", "r", "study.py")
    assert done.returncode == 3, done.stderr
    assert done.stdout.split() == [
        "NoneType", "NoneType", "Stuck", "NoneType", "ValueError", "NoneType", "NoneType",
        "TaskLost",
    ]  # fmt: skip
    return folder


@pytest.fixture
def look(made: Path) -> Callable[..., str]:
    """Type a command of ``journal`` about that run; return what it prints."""

    def typed(what: str, *words: object) -> str:
        done = type_in(made, "journal", what, "r", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return typed


@pytest.fixture
def changed(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, in which things may be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    info = folder / "r" / "run.json"
    info.write_text(info.read_text().replace(os.fspath(made), os.fspath(folder)))
    return folder
