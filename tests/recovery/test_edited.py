"""A script is edited between the death of its run and the resume: what is said, what runs again."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND, LIMIT_S

from .conftest import PROGRAMS, Run

TASKS = 12
ASKED = "resume with --redo-changed to compute them again, or with --keep-results to keep them"

SCRIPT = '''\
"""A study."""
import sys

import model
sys.path.append("{programs}")
from noting import note, wait_for_file

from scoop_ft import futures

STEP = 2


def simulate(n, offset=1):
    """Simulate."""
    note(f"simulate.{{n}}")
    return model.rate(n) * STEP + offset


def unrelated(n):
    note(f"unrelated.{{n}}")
    return n


def parent(n):
    note(f"parent.{{n}}")
    return sum(futures.map(simulate, range(n, n + 2)))


if __name__ == "__main__":
    results = list(futures.map(simulate, range({tasks})))
    results += futures.map(unrelated, range({tasks}))
    results += futures.map(parent, [100, 200])
    results += futures.map(lambda n: (note(f"lambda.{{n}}"), n)[1], range(3))
    note("before")
    wait_for_file("go")
    print(results)
'''
MODEL = """\
open("imported", "a").close()


def rate(n):
    return 10 * n


def other(n):
    return n
"""


class Study:
    """A run of the script above whose calls have all ended when everything was killed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.script = run.folder / "study.py"
        self.model = run.folder / "model.py"
        self.script.write_text(SCRIPT.format(programs=PROGRAMS, tasks=TASKS))
        self.imported = run.folder / "imported"
        self.model.write_text(MODEL)
        hour_ago = time.time() - 3600
        for path in (self.script, self.model):
            os.utime(path, (hour_ago, hour_ago))

    def begin(self) -> Study:
        self.run.start("-q", "-n", "2", str(self.script))
        self.run.ledger.wait_for_names(["before"])
        self.run.wait_until(lambda found: found["tasks"]["done"] >= 2 * TASKS + 5)
        self.die()
        return self

    def die(self) -> None:
        self.run.strike_everything()

    def edit(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def again(self, *words: str) -> set[str]:
        """Resume to the end; return the names of the functions that were run again."""
        self.run.touch("go")
        before = self.run.ledger.times()
        self.run.resume("-q", *words)
        self.run.finish()
        return {name.partition(".")[0] for name in self.run.ledger.times() - before} - {"before"}

    def refused(self, *words: str) -> str:
        """Resume in vain: nothing is started, and nothing changed; return what is said."""
        starts = self.run.ledger.starts()
        journal = (self.run.directory.journal / "data.mdb").read_bytes()
        self.run.resume("-q", *words)
        assert self.run.wait() == 2
        assert self.run.ledger.starts() == starts
        assert (self.run.directory.journal / "data.mdb").read_bytes() == journal
        return self.run.errors


@pytest.fixture
def study(run: Run) -> Study:
    return Study(run).begin()


def comments(study: Study) -> None:
    study.edit(study.script, "def simulate(n", "# How it is done.\n\n\ndef simulate(n")
    study.edit(study.script, "STEP = 2", "STEP = (2)  # as in the paper")
    study.edit(study.script, '"""Simulate."""', '"""Simulate it, step by step."""\n')
    study.edit(study.script, "model.rate(n) * STEP + offset", "(\n        model.rate( n )\n"
               "        * STEP\n        + offset  # all\n    )")  # fmt: skip
    study.edit(study.script, "def unrelated(n):", "def unrelated(n: int) -> int:")
    study.edit(study.script, "lambda n: (note(", "lambda n: (  # it stands elsewhere now\n   note(")


def an_unrelated_function(study: Study) -> None:
    study.edit(study.model, "    return n\n", "    return n + 1\n")


def the_main_guard(study: Study) -> None:
    study.edit(study.script, "print(results)", "print(results, 'all of them')")


@pytest.mark.parametrize("edit", [comments, an_unrelated_function, the_main_guard])
def test_what_no_result_depends_on_concerns_nothing(
    study: Study, edit: Callable[[Study], None]
) -> None:
    edit(study)
    assert study.again() == set()
    assert "edited" not in study.run.errors


def the_body(study: Study) -> None:
    study.edit(study.script, "* STEP + offset", "* STEP - offset")


def a_constant(study: Study) -> None:
    study.edit(study.script, "STEP = 2", "STEP = 3")


def a_default(study: Study) -> None:
    study.edit(study.script, "offset=1", "offset=2")


def a_function_that_is_called(study: Study) -> None:
    study.edit(study.model, "10 * n", "11 * n")


@pytest.mark.parametrize("edit", [the_body, a_constant, a_default, a_function_that_is_called])
def test_an_edit_is_said_and_redone_if_asked_for(
    study: Study, edit: Callable[[Study], None]
) -> None:
    edit(study)
    said = study.refused()
    assert f"study.simulate was edited ({TASKS} results)" in said
    assert "study.parent was edited (2 results)" in said
    assert "unrelated" not in said
    error = said.splitlines()[-1]
    assert error.startswith("scoop-ft: error: ")
    assert ASKED in error
    # The parents call it too; their own calls are new.
    assert study.again("--redo-changed") == {"simulate", "parent"}
    serial = subprocess.run(
        [sys.executable, str(study.script)], cwd=study.run.folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert study.run.output == serial.stdout


def test_results_are_kept_and_it_is_not_asked_again(study: Study) -> None:
    the_body(study)
    study.run.resume("-q", "--keep-results")
    study.run.ledger.wait(lambda starts: [s.name for s in starts].count("before") == 2)
    study.die()
    assert study.again() == set()
    assert "edited" not in study.run.errors


def test_redone_results_are_not_redone_again(study: Study) -> None:
    the_body(study)
    study.run.resume("-q", "--redo-changed")
    study.run.ledger.wait(lambda starts: [s.name for s in starts].count("before") == 2)
    study.run.wait_until(lambda found: found["tasks"]["done"] >= 2 * TASKS + 5)
    killed = study.run.strike("broker")
    study.run.pid("broker", but=[killed])
    study.run.wait_until(lambda found: found["tasks"]["done"] >= 2 * TASKS + 5)
    study.die()
    assert study.again() == set()
    assert study.run.ledger.times()["simulate.3"] == 2


def test_a_function_that_is_gone(study: Study) -> None:
    study.edit(study.script, "def unrelated(n)", "def renamed(n)")
    study.edit(study.script, "futures.map(unrelated", "futures.map(renamed")
    assert f"study.unrelated is gone ({TASKS} results)" in study.refused()
    assert study.again("--keep-results") == {"unrelated"}  # it notes its old name


def test_a_lambda_that_is_edited_is_another_one(study: Study) -> None:
    study.edit(study.script, "n)[1]", "-n)[1]")
    assert "<lambda> was edited (3 results): it has no name to be found by" in study.refused()
    assert study.again("--keep-results") == {"lambda"}


def test_a_script_that_cannot_be_imported(study: Study) -> None:
    study.edit(study.script, "STEP = 2", "STEP = 2 / 0")
    said = study.refused()
    assert "ZeroDivisionError" in said
    assert "study.py failed when a worker imported it" in said
    assert "During handling of" not in said
    assert "scoop_ft/" not in said, "our own files are nobody's business"
    assert "go on with the code as it was: --recorded-code" in said
    study.edit(study.script, "STEP = 2 / 0", "STEP = 2")
    study.edit(study.model, "10 * n", "10 * * n")
    assert "SyntaxError" in study.refused("--redo-changed")


def test_a_dry_run_says_what_was_edited(study: Study) -> None:
    the_body(study)
    dry = subprocess.run(
        [*COMMAND, "resume", "--dry-run"],
        cwd=study.run.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"study.simulate was edited ({TASKS} results)" in dry.stderr
    assert "unrelated" not in dry.stderr


def test_both_options_at_once(study: Study) -> None:
    assert "exclude each other" in study.refused("--redo-changed", "--keep-results")


def at_a_terminal(study: Study, answer: str) -> tuple[int, str]:
    """Resume where somebody answers; return the exit code and what was shown."""
    study.run.touch("go")
    master, slave = pty.openpty()
    command = subprocess.Popen(
        [*COMMAND, "resume", "-q"], cwd=study.run.folder, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = b""
    answered = False
    while True:
        try:
            part = os.read(master, 1024)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
        if not answered and b"[stop]:" in shown:
            answered = True
            os.write(master, answer.encode() + b"\n")
    os.close(master)
    return command.wait(LIMIT_S), shown.decode()


@pytest.mark.parametrize(
    ("answer", "code", "again"), [("redo", 0, 2), ("keep", 0, 1), ("stop", 2, 1), ("", 2, 1)]
)
def test_at_a_terminal_it_asks(study: Study, answer: str, code: int, again: int) -> None:
    the_body(study)
    ended, shown = at_a_terminal(study, answer)
    assert f"study.simulate was edited ({TASKS} results)" in shown
    assert ended == code, shown
    assert study.run.ledger.times()["simulate.3"] == again


def test_files_that_have_not_changed_are_not_even_imported(study: Study) -> None:
    """Importing takes its time."""
    study.imported.unlink()
    dry = [*COMMAND, "resume", "--dry-run"]
    subprocess.run(dry, cwd=study.run.folder, check=True, capture_output=True)
    assert not study.imported.exists()
    os.utime(study.model)
    subprocess.run(dry, cwd=study.run.folder, check=True, capture_output=True)
    assert study.imported.exists()


def test_a_finished_run_says_that_it_was_edited(study: Study) -> None:
    """Nothing is left to do, and who has edited may expect that his edit is used."""
    study.again()
    assert study.again() == set()
    assert "edited" not in study.run.errors
    the_body(study)
    assert study.again() == set()
    said = study.run.errors.splitlines()[-1]
    assert said.startswith("scoop-ft: study.py was edited since; to run the script again, ")
    command = said.rpartition(": ")[2]
    assert command.startswith("scoop-ft resume ")
    assert command.endswith(" --redo-changed")
    dry = [*COMMAND, "resume", "--dry-run"]
    told = subprocess.run(dry, cwd=study.run.folder, capture_output=True, text=True, check=True)
    assert "'scoop-ft resume --redo-changed' computes them again" in told.stderr
    study.run.resume("--redo-changed").finish()
    assert study.run.ledger.times()["simulate.3"] == 2
    (line,) = [line for line in study.run.errors.splitlines() if "resuming" in line]
    again = TASKS + 2
    assert "(study.py): " in line
    assert line.endswith(f", {again} to be computed again")
    assert "0/s" not in study.run.errors.splitlines()[-1].split(", ")
    assert study.again() == set()
    assert "edited" not in study.run.errors


SAVING = """\
import sys

sys.path.append("{programs}")
from noting import note, wait_for_file

from scoop_ft import checkpoint, futures


def simulate(n):
    return 2 * n


def analyse(n):
    return n + 1


if __name__ == "__main__":
    total = checkpoint.load(0)
    if not total:
        total = sum(futures.map(simulate, range(20)))
        checkpoint.save(total, wait=True)
    note("saved")
    wait_for_file("go")
    print(total + sum(futures.map(analyse, range(3))))
"""


def test_a_function_that_only_the_saved_state_was_made_with(run: Run) -> None:
    """No recorded task calls it any more, and yet what the script goes on from is stale."""
    script = run.folder / "saving.py"
    script.write_text(SAVING.format(programs=PROGRAMS))
    run.start("-q", "-n", "2", str(script))
    run.ledger.wait_for_names(["saved"])
    run.strike_everything()
    script.write_text(script.read_text().replace("2 * n", "3 * n"))
    run.touch("go")
    run.resume("-q")
    assert run.wait() == 2, run.errors
    assert "simulate was edited (0 results)" in run.errors
    assert "the script's saved state was made with the code of before" in run.errors
