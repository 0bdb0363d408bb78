"""The kill matrix: our own row in small, and that the harness's judgement can be trusted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from scoop_chaos.faults import Fault
from scoop_chaos.matrix import case
from scoop_chaos.matrix.case import run_case
from scoop_chaos.matrix.family import Family
from scoop_chaos.matrix.judge import Cell, Outcome, first_line_of_error
from scoop_chaos.matrix.ledger import Ledger, count
from scoop_chaos.matrix.measure import DEATHS, HEALTHY, UNDISTURBED, Measurement, split
from scoop_chaos.matrix.stage import Deadline, Size, Stage
from scoop_chaos.matrix.systems import PROGRAMS, SYSTEMS, System
from scoop_chaos.matrix.table import MatrixTable
from scoop_chaos.runs import left_in

SMALL = Size(tasks=40, seconds="0.05", after=10)
LIMIT_S = 60.0
OURS = SYSTEMS[0]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path; nothing that works in it may outlive the test."""
    with tempfile.TemporaryDirectory(prefix="mx-", ignore_cleanup_errors=True) as name:
        yield Path(os.path.realpath(name))
        left = left_in(Path(os.path.realpath(name)), limit=0.5)
    assert not left, "processes were left behind:\n" + "\n".join(left)


# ---- our own row ----------------------------------------------------------------------------


@pytest.mark.parametrize("death", [Fault.BROKER_KILL, Fault.ROOT_KILL], ids=lambda d: d.name)
def test_deaths_of_broker_and_root_repeat_nothing(death: Fault, folder: Path) -> None:
    cell = run_case(OURS, death, SMALL, LIMIT_S, folder)
    assert (cell.outcome, cell.text) == (Outcome.RIGHT, "")
    assert (cell.starts, cell.again) == (SMALL.tasks, 0)
    roots = [line for line in Ledger(folder / "ledger").lines() if line.word == "root"]
    assert len(roots) == (2 if death is Fault.ROOT_KILL else 1), "the death was another one"


@pytest.mark.parametrize(
    "death", [Fault.WORKER_KILL, Fault.WORKER_STAYS_STOPPED], ids=lambda d: d.name
)
def test_a_lost_worker_costs_at_most_what_it_ran(death: Fault, folder: Path) -> None:
    cell = run_case(OURS, death, SMALL, LIMIT_S, folder)
    assert (cell.outcome, cell.text) == (Outcome.RIGHT, "")
    lines = Ledger(folder / "ledger").lines()
    starts: dict[int, list[int]] = {}
    for line in lines:
        if line.word == "start":
            starts.setdefault(line.number, []).append(line.pid)
    repeated = {number: pids for number, pids in starts.items() if len(pids) > 1}
    victims = {pids[0] for pids in repeated.values()}
    assert len(victims) <= 1, f"more than one worker's work was repeated: {repeated}"
    began = [line.pid for line in lines if line.word == "start"]
    assert set(began[:10]) - set(began[-10:]), "no worker was lost"
    assert cell.again <= 2, "more than the task it ran and the result it was about to send"
    assert cell.needless <= 1


def test_after_the_death_of_everything_nothing_recorded_runs_again(folder: Path) -> None:
    stage = Stage(OURS, SMALL, sys.executable, folder)
    try:
        stage.start_services()
        stage.start_program()
        case.wait_for_work(stage, Deadline(time.monotonic() + LIMIT_S))
        case.strike(stage, Fault.EVERYTHING_KILL, Deadline(time.monotonic() + LIMIT_S))
        before = stage.ledger.ended()
        recorded = recorded_in(folder / "run")
        assert 0 < recorded <= len(before)
        stage.start_again()
        assert stage.wait_end(Deadline(time.monotonic() + LIMIT_S)), stage.told()
        assert stage.read("stdout") == f"answer {SMALL.expected}\n", stage.told()
        done = count(stage.ledger.lines())
        assert done.needless <= len(before) - recorded
        assert done.again <= 2 + len(before) - recorded, "two ran when they died"
    finally:
        stage.kill_everything()


def recorded_in(run: Path) -> int:
    """Return how many tasks a dead run's journal holds as done."""
    words = [sys.executable, "-m", "scoop_ft", "status", "--json", str(run)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    found = json.loads(told.stdout)
    assert found["state"] == "interrupted"
    return int(found["tasks"]["done"])


# ---- judgement ------------------------------------------------------------------------------

HANGING = """
import subprocess, sys, time
from ledgered import calls
calls()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep(600)
"""
WRONG = "from ledgered import answer, calls, square\nanswer(square(c) + 1 for c in calls())"
RIGHT = "from ledgered import answer, calls, square\nanswer(square(c) for c in calls())"
FAILING = """
class Lost(Exception):
    pass
try:
    1 / 0
except ZeroDivisionError as error:
    raise Lost("of two lines:\\nthe second") from error
"""


def system(folder: Path, text: str) -> System:
    """Return a system that runs this text."""
    program = folder / "program.py"
    program.write_text(text)
    return System("fake", "Fake", "fake", program, "a program of the tests", ours=True)


@pytest.mark.parametrize(
    ("text", "outcome", "told"),
    [
        pytest.param(HANGING, Outcome.HANGS, "no end within 2 s", id="hangs"),
        pytest.param(WRONG, Outcome.WRONG, "25", id="wrong"),
        pytest.param(RIGHT, Outcome.RIGHT, "", id="right"),
        pytest.param(FAILING, Outcome.ERROR, "Lost: of two lines:", id="error"),
        pytest.param("pass", Outcome.ERROR, "no answer, exit code 0", id="silent"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)", Outcome.ERROR, "killed by signal 9", id="killed"
        ),
    ],
)
def test_a_program_is_called_what_it_is(
    text: str, outcome: Outcome, told: str, folder: Path
) -> None:
    limit = 2.0 if outcome is Outcome.HANGS else LIMIT_S
    work = Size(tasks=4, seconds="0", after=1)  # the squares of 0 to 3: 14
    cell = run_case(system(folder, text), None, work, limit, folder)
    expected = "18" if outcome is Outcome.WRONG else told
    assert (cell.outcome, re.sub(r"^__main__\.", "", cell.text)) == (outcome, expected)
    assert (cell.seconds is not None) == (outcome is Outcome.RIGHT)


def test_repeated_work_is_counted(folder: Path) -> None:
    text = "from ledgered import answer, calls, square\nall_ = calls()\nfor _ in range(3):\n"
    text += "    square(all_[0])\nanswer(square(c) for c in all_)"
    cell = run_case(system(folder, text), None, Size(3, "0", 1), LIMIT_S, folder)
    assert (cell.outcome, cell.starts, cell.again) == (Outcome.RIGHT, 6, 1)
    assert (cell.needless, cell.of_first) == (1, 4)


def test_a_program_that_outruns_its_death_is_not_praised(folder: Path) -> None:
    cell = run_case(system(folder, RIGHT), Fault.WORKER_KILL, Size(3, "0", 3), LIMIT_S, folder)
    assert cell.outcome is Outcome.ERROR
    assert "not brought to its death: the program ended before" in cell.text


def test_who_keeps_nothing_starts_from_the_beginning(folder: Path) -> None:
    cell = run_case(system(folder, RIGHT), Fault.ROOT_KILL, SMALL, LIMIT_S, folder)
    assert cell.outcome is Outcome.RIGHT
    assert cell.done_before is not None
    assert cell.done_before >= SMALL.after
    assert (cell.reused, cell.needless) == (0, cell.done_before)


def test_a_daemon_that_hides_is_of_the_family(folder: Path) -> None:
    family = Family(str(folder))
    child = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
    parent = (
        "import subprocess, sys; "
        f"print(subprocess.Popen([sys.executable, '-c', {child!r}], env={{}}, "
        "stdout=subprocess.PIPE).stdout.readline().decode(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=family.environment(),
        cwd=folder,
    ) as started:
        assert started.stdout is not None
        daemon = int(started.stdout.readline())
        assert daemon in {member.pid for member in family.members()}
    assert psutil.pid_exists(daemon), "it was to outlive its parent"
    family.kill()
    assert not psutil.pid_exists(daemon) or psutil.Process(daemon).status() == "zombie"


def test_the_error_is_the_last_tracebacks() -> None:
    text = 'Traceback (most recent call last):\n  File "a"\nKeyError: 1\n\nnoise\n'
    text += 'Traceback (most recent call last):\n  File "b"\n    x\nx.Bad: why\nmore\n'
    assert first_line_of_error(text) == "x.Bad: why"
    assert first_line_of_error("only this\n\n") == "only this"
    assert first_line_of_error("") == ""


# ---- what is shown --------------------------------------------------------------------------


def test_who_is_not_installed_is_left_out_by_name(folder: Path) -> None:
    absent = System("absent", "Absent", "no-such-package-here", folder, "")
    there, missing = split([OURS, absent], sys.executable)
    assert ([one.name for one in there], [one.name for one in missing]) == (
        ["scoop-ft"],
        ["absent"],
    )


def test_all_programs_are_there() -> None:
    assert all(one.program.is_file() for one in SYSTEMS)
    assert {path.name for path in PROGRAMS.glob("with_*.py")} == {
        one.program.name for one in SYSTEMS
    }


def test_the_table_says_what_was_measured() -> None:
    measured = Measurement([OURS], SMALL)
    measured.rows[UNDISTURBED] = {OURS.name: Cell(Outcome.RIGHT, seconds=2.0, starts=40)}
    for death in DEATHS:
        right = Cell(Outcome.RIGHT, "", 3.5, 41, again=1, done_before=10, reused=9)
        measured.rows[death.value] = {OURS.name: right}
    measured.rows[DEATHS[0].value] = {OURS.name: Cell(Outcome.ERROR, "Bad: a | b", again=3)}
    measured.rows[DEATHS[1].value] = {OURS.name: Cell(Outcome.HANGS, "no end within 9 s")}
    measured.rows[DEATHS[2].value] = {OURS.name: Cell(Outcome.NO_SUCH)}
    measured.rows[HEALTHY] = {OURS.name: Cell(Outcome.RIGHT, seconds=8.2, of_first=2)}
    row = next(
        line
        for line in MatrixTable(measured).markdown().splitlines()
        if line.startswith("| scoop-ft")
    )
    assert [field.strip() for field in row.strip("|").split("|")] == [
        "scoop-ft",
        "right, 2.0 s",
        "error [1], 3 again",
        "hangs (no end within 9 s)",
        "no such process",
        "right, +1.5 s, 1 again, 9 of 10 reused",
        "right, +1.5 s, 1 again, 9 of 10 reused",
        "executed twice",
    ]
    assert "- [1] `Bad: a | b`" in MatrixTable(measured).markdown()
