"""The folder of a run was moved: its results are had, and the run can be gone on with."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from .conftest import Shell

SCRIPT = """
import os, sys
import lab
from scoop_ft import futures

def half(x):
    return lab.Measure(x / 2)

def twice(x):
    return 2.0 * x

if __name__ == "__main__":
    found = [one.value for one in futures.map(half, range(4))]
    print(sum(found), sum(futures.map(twice, range(3))))
    sys.exit(0 if os.path.exists("go") else 3)
"""
LAB = """
class Measure:
    def __init__(self, value):
        self.value = value
    def __repr__(self):
        return f"Measure({self.value})"
"""


@pytest.fixture
def moved(shell: Shell) -> Shell:
    """A shell in ``there``, which was ``here`` when a run was made in it that has not finished."""
    whole, here, there = shell.folder, shell.folder / "here", shell.folder / "there"
    here.mkdir()
    (here / "s.py").write_text(SCRIPT)
    (here / "lab.py").write_text(LAB)
    shell.folder = here
    done = shell.type("run", "-q", "-n", "1", "s.py")
    assert (done.returncode, done.stdout) == (3, "3.0 6.0\n"), done.stderr
    here.rename(there)
    shutil.rmtree(there / "__pycache__", ignore_errors=True)
    (there / "go").touch()
    (whole / "elsewhere").mkdir()
    shell.folder = there
    return shell


def results(shell: Shell, *run: str) -> list[object]:
    done = shell.type("journal", "export", *run)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["result"] for line in done.stdout.splitlines()]


def run_of(shell: Shell) -> Path:
    (run,) = (shell.folder / ".scoop-ft").iterdir()
    return run


MEASURES = [{"repr": f"Measure({x / 2})"} for x in range(4)]


def test_results_are_had_with_the_modules_where_they_are_now(moved: Shell) -> None:
    assert results(moved) == [*MEASURES, 0.0, 2.0, 4.0]
    run = str(run_of(moved))
    moved.folder = moved.folder.parent / "elsewhere"
    assert results(moved, run) == [*MEASURES, 0.0, 2.0, 4.0]
    assert "Measure(0.5)" in moved.type("journal", "show", run, "2").stdout


def test_plain_results_are_had_when_the_files_are_gone(moved: Shell) -> None:
    for name in ("s.py", "lab.py"):
        (moved.folder / name).unlink()
    assert results(moved)[4:] == [0.0, 2.0, 4.0]
    done = moved.type("journal", "export", run_of(moved).name, "--format", "pickle", "-o", "pk")
    assert done.returncode == 0, done.stderr
    assert [row["result"] for row in pickle.loads((moved.folder / "pk").read_bytes())][4:] == [
        0.0, 2.0, 4.0,
    ]  # fmt: skip


def test_what_a_resume_would_do_is_said(moved: Shell) -> None:
    for words in (["resume", "--dry-run"], ["explain"], ["explain", "2"]):
        done = moved.type(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    edited = SCRIPT.replace("2.0 * x", "2.5 * x")
    (moved.folder / "s.py").write_text(edited)
    assert "s.twice was edited (3 results)" in moved.type("resume", "--dry-run").stderr
    (moved.folder / "s.py").unlink()
    for words in (["resume", "--dry-run"], ["explain"], ["explain", "2"]):
        done = moved.type(*words)
        assert done.returncode == 0, done.stderr
        assert "cannot compare whether functions were edited: there is no script" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--cwd", "."]])
def test_a_resume_takes_the_script_where_it_is_now(moved: Shell, words: list[str]) -> None:
    done = moved.type("resume", *words)
    assert (done.returncode, done.stdout) == (0, "3.0 6.0\n"), done.stderr
    there = moved.folder / "s.py"
    old = moved.folder.parent / "here" / "s.py"
    assert f"{old} is gone: going on with {there}\n" in done.stderr
    assert "7 reused" in done.stderr
    assert json.loads((run_of(moved) / "run.json").read_text())["script"] == str(there)


def test_it_is_compared_for_edits(moved: Shell) -> None:
    (moved.folder / "s.py").write_text(SCRIPT.replace("2.0 * x", "2.5 * x"))
    done = moved.type("resume")
    assert done.returncode == 2
    assert "s.twice was edited (3 results)" in done.stderr
    done = moved.type("resume", "--redo-changed")
    assert (done.returncode, done.stdout) == (0, "3.0 7.5\n"), done.stderr


def test_the_advice_can_be_followed(moved: Shell) -> None:
    (moved.folder / "s.py").unlink()
    for words in ([], ["--cwd", "."]):
        done = moved.type("resume", *words)
        assert done.returncode == 2
        assert "any more: if its folder was moved, name that with --cwd" in done.stderr
        command = f"scoop-ft resume .scoop-ft/{run_of(moved).name} --recorded-code --cwd ."
        assert done.stderr.rstrip().endswith(command)
    done = moved.type(*command.split()[1:])
    assert (done.returncode, done.stdout) == (0, "3.0 6.0\n"), done.stderr
