"""A map over an endless input is killed and resumed: it meets what is recorded."""

from __future__ import annotations

from .conftest import Run
from .test_launcher_death import answer, recorded

TASKS, BUFFER = 400, 24


def test_everything_is_killed_in_the_middle_of_an_endless_map(run: Run) -> None:
    run.program("endless", TASKS, BUFFER, 0.01, "map")
    run.ledger.wait_for(150)
    run.strike_everything()
    before, done = len(run.ledger.starts()), len(recorded(run))
    assert 100 < done < TASKS
    assert run.resume("-q").finish() == answer(TASKS)
    check(run, begun_before=before, done=done)
    assert run.status()["mismatches"] == 0


def test_the_root_and_the_broker_die_in_the_middle_of_one(run: Run) -> None:
    run.program("endless", TASKS, BUFFER, 0.01, "map")
    run.ledger.wait_for(80)
    root = run.strike("root")
    run.pid("root", but=[root])
    run.ledger.wait_for(160)
    run.strike("broker")
    assert run.finish() == answer(TASKS)
    assert run.ledger.again() == {}
    assert run.status()["mismatches"] == 0


def test_one_that_takes_results_as_they_come(run: Run) -> None:
    tasks = 10_000_000  # which results it gets first is nobody's: it is stopped, not compared
    run.program("endless", tasks, BUFFER, 0.01, "map_as_completed")
    run.ledger.wait_for(150)
    run.strike_everything()
    before, done = len(run.ledger.starts()), len(recorded(run))
    assert done > 100
    run.resume("-q")
    run.ledger.wait_for(before + 100)
    run.strike_everything()
    check(run, begun_before=before, done=done)


def check(run: Run, *, begun_before: int, done: int) -> None:
    """What was recorded ran once; no item was left out; only what ran at the kill ran again."""
    numbers = sorted(int(name) for name in run.ledger.times() if name.isdecimal())
    assert numbers[-1] - len(numbers) < BUFFER, "left out more than what was out at the end"
    assert numbers[: -2 * BUFFER] == list(range(len(numbers) - 2 * BUFFER))
    again = run.ledger.again()
    assert len(again) <= begun_before - done
    assert set(again.values()) <= {2}
