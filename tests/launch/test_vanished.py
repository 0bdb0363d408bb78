"""The run directory is removed or moved while its run goes on: one line says so, no traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Shell
from .test_run import eventually

TASKS = 200
NAPS = f"""\
import time
from scoop_ft import futures

def nap(n):
    time.sleep(0.05)
    open("napped", "a").write("x")
    return n

if __name__ == "__main__":
    print(sum(futures.map(nap, range({TASKS}))))
"""


def take_away(here: Path, *, moved: bool) -> Path:
    there = here.with_name("there")
    if moved:
        here.rename(there)
    else:
        shutil.rmtree(here, ignore_errors=True)
    return there


@pytest.mark.parametrize("moved", [True, False])
def test_it_is_said_in_one_line(shell: Shell, moved: bool) -> None:
    launcher = shell.start("run", "-n", "2", "--run-dir", "here", shell.script(NAPS))
    napped = shell.folder / "napped"
    eventually(lambda: napped.exists() and napped.stat().st_size > 5)
    here = shell.folder / "here"
    there = take_away(here, moved=moved)
    assert launcher.wait(20) == 1
    said = [line for line in shell.read("err").splitlines() if " tasks done" not in line]
    assert said == [
        f"scoop-ft: error: the run directory {here} is gone, and what was recorded with it: put it "
        "back if it was moved, and resume it; else run the script again"
    ]
    if moved:
        there.rename(here)
        done = shell.type("resume", "-q", "here")
        assert (done.returncode, done.stdout) == (0, f"{sum(range(TASKS))}\n"), done.stderr


def test_a_journal_that_is_gone_is_not_begun_anew(shell: Shell) -> None:
    """Or the run would go on with nothing, and wait for results that nobody has any more."""
    launcher = shell.start("run", "-n", "2", "--run-dir", "here", shell.script(NAPS))
    napped = shell.folder / "napped"
    eventually(lambda: napped.exists() and napped.stat().st_size > 5)
    journal = shell.folder / "here" / "journal"
    there = take_away(journal, moved=True)
    assert launcher.wait(20) == 2
    gone = (
        f"the journal of {journal.parent} is gone, and all results with it (there is no "
        f"{journal / 'data.mdb'}): put it back, or run the script again with another --run-dir"
    )
    assert gone in shell.read("err")
    assert not journal.exists()
    assert "Traceback" not in (journal.parent / "logs" / "broker.log").read_text()
    done = shell.type("resume", "here")
    assert (done.returncode, done.stderr) == (2, f"scoop-ft: error: {gone}\n")
    there.rename(journal)
    done = shell.type("resume", "-q", "here")
    assert (done.returncode, done.stdout) == (0, f"{sum(range(TASKS))}\n"), done.stderr
