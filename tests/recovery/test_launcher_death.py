"""The launcher dies, alone or with all the others: nothing is left, and resume loses nothing.

Which tasks are recorded is read from the journal while nobody runs: just those may not run again.
"""

from __future__ import annotations

import signal
import time

from scoop_chaos.runs import left_in

from scoop_ft.broker import offline
from scoop_ft.broker.tasks import DONE

from .conftest import Run, signal_it

TASKS = 200
GONE_S = 2.0


def answer(tasks: int) -> str:
    return f"{sum(n * n for n in range(tasks))}\n"


def recorded(run: Run) -> set[str]:
    """Return the ordinals of the root's children whose results are in the journal."""
    book, reader = offline.read(run.directory.journal)
    reader.close()
    return {
        str(batch.first + index)
        for batch in book.batches.values()
        for index, state in enumerate(batch.state)
        if state == DONE
    }


def kill_launcher(run: Run) -> None:
    """Kill the launcher; nothing may be left soon after."""
    launcher = run.pid("launcher")
    signal_it(launcher, signal.SIGKILL)
    began = time.monotonic()
    left = left_in(run.folder, limit=GONE_S)
    assert not left, left
    assert time.monotonic() - began < GONE_S + 1.0
    run.wait()


def resume_and_check(run: Run, tasks: int) -> None:
    """Resume to the end: what was recorded is not run again, the rest runs once."""
    done = recorded(run)
    before = len(run.ledger.starts())
    assert run.resume("-q").finish() == answer(tasks)
    names = [start.name for start in run.ledger.starts()[before:] if start.name != "before"]
    assert done.isdisjoint(names)
    assert sorted(names) == sorted({str(n) for n in range(tasks)} - done)


def test_a_killed_launcher_takes_all_along(run: Run) -> None:
    run.program("flat", TASKS, 0.01)
    run.ledger.wait_for(80)
    kill_launcher(run)
    assert len(recorded(run)) > 50
    assert run.output == ""
    resume_and_check(run, TASKS)


def test_it_takes_along_what_workers_have_started_and_what_holds_the_gil(run: Run) -> None:
    run.program("stuck", 60, options=("-n", 3))
    run.ledger.wait_for_names(map(str, range(60)))
    run.wait_until(lambda found: found["tasks"]["done"] == 58)
    kill_launcher(run)
    assert len(recorded(run)) == 58
    run.touch("go")
    resume_and_check(run, 60)


def test_everything_killed_at_once(run: Run) -> None:
    run.program("flat", TASKS, 0.01)
    run.ledger.wait_for(80)
    run.strike_everything()
    assert left_in(run.folder, limit=GONE_S) == []
    resume_and_check(run, TASKS)


def test_everything_killed_again_and_again_until_the_end(run: Run) -> None:
    run.program("flat", TASKS, 0.01)
    done: set[str] = set()
    for _ in range(4):
        begun = len(run.ledger.starts())
        run.ledger.wait_for(begun + 35)
        run.strike_everything()
        now = recorded(run)
        assert done <= now
        names = {start.name for start in run.ledger.starts()[begun:]}
        assert done.isdisjoint(names), "a recorded task has run again"
        assert now - done <= names
        done = now
        run.resume("-q")
    assert run.finish() == answer(TASKS)
    names = {start.name for start in run.ledger.starts()}
    assert names == {"before", *map(str, range(TASKS))}


def test_killed_as_it_starts(run: Run) -> None:
    run.program("flat", 30, 0.01)
    for _ in range(3):
        run.pid("broker")
        kill_launcher(run)
        run.resume("-q")
    assert run.finish() == answer(30)
