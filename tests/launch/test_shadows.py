"""Files beside the script that are called like modules of Python's own: a run does without them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import Shell

NAMES = ("signal", "random", "queue", "socket", "select", "struct", "copy")
SCRIPT = """\
import sys
from scoop_ft import Executor, futures

if __name__ == "__main__":
    if sys.argv[1:] == ["own"]:
        with Executor(1, run_dir="own") as executor:
            print(sum(executor.map(abs, range(5))))
    else:
        print(sum(futures.map(abs, range(5))))
        sys.exit(3)  # there is something left to go on with
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python knows no -P")
def test_they_are_not_taken_for_these(shell: Shell) -> None:
    (shell.folder / "below").mkdir()
    script = shell.script(SCRIPT, "below/study.py")
    for name in NAMES:
        shell.script("raise SystemExit('not the one of Python')", f"{name}.py")
    safe = [sys.executable, "-P", "-m", "scoop_ft"]
    for words in (["run", "-q", "-n", "1", "--run-dir", "r", script], ["resume", "-q", "r"]):
        done = subprocess.run(
            [*safe, *words], cwd=shell.folder, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stdout) == (3, "10\n"), done.stderr
    done = subprocess.run(
        [sys.executable, script, "own"],
        cwd=shell.folder,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, "10\n"), done.stderr
