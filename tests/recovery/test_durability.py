"""``--durability none``: processes may die; after a crash of the machine it is refused by name."""

from __future__ import annotations

import json
import subprocess

from scoop_chaos.runs import COMMAND
from scoop_journal.layout import UNSYNCED_FILE

from .conftest import Run
from .test_launcher_death import answer, kill_launcher, recorded, resume_and_check

TASKS = 200
NOT_SYNCED = "not synced: lost if its machine stops"
NONE = ("-n", 2, "--durability", "none")


def restart_the_machine(run: Run) -> None:
    """Leave what a machine leaves that has stopped: a mark of a start that is over."""
    mark = run.directory.journal / UNSYNCED_FILE
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "boot": "before"}))


def command(run: Run, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=run.folder, capture_output=True, text=True)


def test_a_killed_broker_costs_no_task(run: Run) -> None:
    run.program("flat", TASKS, 0.01, options=NONE)
    run.ledger.wait_for(60)
    run.strike("broker")
    assert run.finish() == answer(TASKS)
    assert run.ledger.again() == {}
    assert len(run.ledger.starts()) == 1 + TASKS
    assert not (run.directory.journal / UNSYNCED_FILE).exists(), "all is synced at the end"


def test_what_was_recorded_outlives_launcher_and_broker(run: Run) -> None:
    run.program("flat", TASKS, 0.01, options=NONE)
    run.ledger.wait_for(80)
    kill_launcher(run)
    assert len(recorded(run)) > 50
    assert (run.directory.journal / UNSYNCED_FILE).exists()
    assert run.status()["durability"] == "none"
    assert NOT_SYNCED in command(run, "status").stdout
    resume_and_check(run, TASKS)
    assert run.status()["durability"] == "none"
    assert NOT_SYNCED not in command(run, "status").stdout


def test_all_killed_at_once_then_resumed_synced(run: Run) -> None:
    run.program("flat", TASKS, 0.01, options=NONE)
    run.ledger.wait_for(80)
    run.strike_everything()
    done = recorded(run)
    begun = len(run.ledger.starts())
    run.resume("-q", "--durability", "synced")
    run.ledger.wait_for(begun + 10)
    assert not (run.directory.journal / UNSYNCED_FILE).exists()
    assert run.finish() == answer(TASKS)
    assert done.isdisjoint(start.name for start in run.ledger.starts()[begun:])


def test_after_a_crash_of_the_machine_it_is_refused(run: Run) -> None:
    run.program("flat", TASKS, 0.01, options=NONE)
    run.ledger.wait_for(80)
    run.strike_everything()
    restart_the_machine(run)
    begun = len(run.ledger.starts())
    where = str(run.directory.path)
    for words in (
        ("resume", where),
        ("status", where),
        ("resume", where, "--durability", "synced"),
    ):
        done = command(run, *words)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("scoop-ft: error: the journal at ")
        assert "was written without syncing" in line
        assert line.endswith("start a new run, or restore the folder from a copy")
    assert "unreadable" in command(run, "runs").stdout
    assert len(run.ledger.starts()) == begun
