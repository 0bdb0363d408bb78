"""Checkpoints and durable steps under real kills: what was saved is not done again."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest
from scoop_journal import Reader

from scoop_ft.broker.records import Kind

from .conftest import Run, signal_it

STEP_S = 0.005  # of the program `saving`


def made(run: Run) -> Counter[str]:
    return Counter(start.name for start in run.ledger.starts())


def records(run: Run) -> Counter[Kind]:
    with Reader.open(run.directory.journal) as reader:
        return Counter(Kind(record.kind) for _, record in reader.scan())


def test_a_task_whose_worker_is_killed_goes_on_from_its_checkpoint(run: Run) -> None:
    steps, every, kills = 600, 0.1, 5
    run.program("saving", steps, every, options=("-n", 1))
    killed: list[int] = []
    for kill in range(kills):
        run.ledger.wait_for_names([str(80 * (kill + 1))])
        killed.append(run.strike("worker", but=killed))
    assert run.finish() == f"{sum(range(steps))}\n"
    found = made(run)
    assert found["begin"] == kills + 1
    again = sum(count - 1 for name, count in found.items() if name != "begin")
    # One interval a kill, and what was on its way to the disk.
    assert again <= kills * 2 * every / STEP_S, again
    assert set(map(str, range(steps))) <= set(found), "no step is left out"


@pytest.mark.parametrize("victim", ["broker", "root"])
def test_other_deaths_do_not_touch_it(run: Run, victim: str) -> None:
    run.program("saving", 300, 0.1, options=("-n", 1))
    run.ledger.wait_for_names(["100"])
    run.strike(victim)
    assert run.finish() == f"{sum(range(300))}\n"
    assert made(run)["begin"] == 1
    assert max(made(run).values()) == 1


def test_everything_killed_it_goes_on_after_resume(run: Run) -> None:
    run.program("saving", 400, 0.05, options=("-n", 1))
    for least in (160, 280):
        run.ledger.wait_for_names([str(least)])
        run.strike_everything()
        run.resume("-q")
    assert run.finish() == f"{sum(range(400))}\n"
    found = made(run)
    # Half a second before: a disk that others keep busy takes its time for a sync.
    assert all(found[str(step)] == 1 for step in range(60)), "saved before the first kill"
    assert sum(found.values()) < 400 + 250, "from the beginning these would be 440 more"


def test_who_is_asked_to_leave_saves_first(run: Run) -> None:
    """Its own interval would have had it save after an hour."""
    run.program("saving", 300, 3600, options=("-n", 1))
    run.ledger.wait_for_names(["100"])
    signal_it(run.pid("launcher"), signal.SIGINT)
    run.wait()
    assert run.resume("-q").finish() == f"{sum(range(300))}\n"
    found = made(run)
    assert found["begin"] == 2
    assert sum(count - 1 for name, count in found.items() if name != "begin") <= 2


def test_a_stopped_workers_task_goes_on_elsewhere(run: Run) -> None:
    run.program("saving", 400, 0.05)
    run.ledger.wait_for_names(["150"])
    stopped = run.ledger.starts()[-1].pid
    signal_it(stopped, signal.SIGSTOP)
    try:
        assert run.finish() == f"{sum(range(400))}\n"
    finally:
        signal_it(stopped, signal.SIGKILL)
    found = made(run)
    assert found["begin"] == 2
    assert all(found[str(step)] == 1 for step in range(100))


def test_a_script_goes_on_from_its_checkpoint_and_its_journal_stays_small(run: Run) -> None:
    generations, tasks = 60, 8
    run.program("generations", generations, tasks, options=("--seed", 1))
    run.ledger.wait_for_names([f"{generations // 2 - 1}.{tasks - 1}"])
    run.wait_until(lambda found: found["tasks"]["done"] >= 1 + tasks * generations // 2)
    run.strike_everything()
    found = records(run)
    assert found[Kind.CHECKPOINT] == 1
    assert found[Kind.BATCH] <= 3, "the generations before have left"
    run.touch("go")
    answer = run.resume("-q").finish()
    done = made(run)
    assert set(done.values()) == {1}, "nothing is done twice"
    assert len(done) == 1 + generations * tasks
    other = Run(run.folder / "undisturbed")
    other.folder.mkdir()
    other.touch("go")
    assert (
        other.program("generations", generations, tasks, options=("--seed", 1)).finish() == answer
    )


@pytest.mark.parametrize("victim", ["root", "broker", "worker", "everything"])
def test_a_durable_step_is_made_once(run: Run, victim: str) -> None:
    run.program("steps")
    run.ledger.wait_for(7)
    run.wait_until(lambda found: found["tasks"]["done"] >= 2)
    if victim == "everything":
        run.strike_everything()
        run.touch("go")
        run.resume("-q")
    else:
        run.strike(victim)
        run.touch("go")
    first, many, children, after, in_task = json.loads(run.finish())
    assert first[0] == "first"
    assert len({value[1] for value in many}) == 3, "three calls, three values"
    assert (children, after) == ([2, 4, 6], [20, 40])
    assert len(in_task) == 2
    assert made(run) == {"first": 1, "many": 3, "children": 1, "in-task": 2}
