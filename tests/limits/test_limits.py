"""Memory stays bounded: ten million tasks, and arguments and results of 100 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
LIMIT_S = 400.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")


def peaks(folder: Path, *words: str) -> dict[str, float]:
    """Run a program; return the peak of each process in MB."""
    program, *args = words
    command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "2", str(PROGRAMS / program)]
    done = subprocess.run(
        [*command, *args], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr[-4000:]
    print(done.stdout)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 5, found
    return found


@pytest.mark.usefixtures("nothing_left")
def test_ten_million_tasks(tmp_path: Path) -> None:
    found = peaks(tmp_path, "backlog.py", "10000000")
    assert max(found.values()) < 1000, found


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("what", ["array", "bytes", "many"])
def test_large_arguments_and_results(tmp_path: Path, what: str) -> None:
    found = peaks(tmp_path, "large.py", what)
    assert found["broker"] < 700, found
    assert max(found.values()) < 1000, found
