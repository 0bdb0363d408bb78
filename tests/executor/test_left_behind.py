"""What programs have in the temporary directory goes with them, or with the next one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Program, kill, wait_until

HOLDS = """
import time
from scoop_ft import Executor

with Executor(1) as executor:
    executor.submit(abs, -1).result()
    open("ready", "w").close()
    time.sleep(120)
"""
COMES_AND_GOES = """
from scoop_ft import Executor

with Executor(1) as executor:
    print(executor.submit(abs, -1).result())
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def runs_in(folder: Path) -> set[Path]:
    return set(folder.glob("scoop-ft-run-*"))


def grow_old(folder: Path) -> None:
    os.utime(folder, (1e9, 1e9))


def test_the_run_of_a_program_that_was_killed_goes_with_the_next_one(
    program: Program, temporary: Path
) -> None:
    program.write(HOLDS)
    killed = program.start()
    wait_until(program.folder / "ready")
    (left,) = runs_in(temporary)
    (program.folder / "ready").unlink()
    program.start()
    wait_until(program.folder / "ready")
    (living,) = runs_in(temporary) - {left}
    kill(killed.pid)
    killed.wait()
    program.write(COMES_AND_GOES, "other.py")
    assert program.run("other.py")[0] == "1\n"
    assert runs_in(temporary) == {left, living}, "nobody knows how young folders are meant"
    for folder in (left, living):
        grow_old(folder)
    kept = temporary / "scoop-ft-run-of-my-own"
    program.write(COMES_AND_GOES.replace("Executor(1)", f"Executor(1, run_dir={str(kept)!r})"))
    assert program.run()[0] == "1\n"
    grow_old(kept)
    assert program.run("other.py")[0] == "1\n"
    assert runs_in(temporary) == {living, kept}, "a name alone does not make it ours"


def test_who_finds_no_run_to_join_leaves_nothing(program: Program, temporary: Path) -> None:
    program.write(
        "from scoop_ft import Executor\nExecutor(address='ipc:///nobody/is/here').submit(abs, -1)\n"
    )
    _, err, code = program.run()
    assert code, err
    assert not list(temporary.glob("scoop-ft-*"))
