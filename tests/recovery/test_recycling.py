"""Workers that are replaced after some tasks, or with too much memory: nobody notices."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest
from scoop_chaos.runs import COMMAND

from .conftest import Run
from .test_launcher_death import answer

TASKS = 240
MB = 1_000_000


def per_process(run: Run) -> list[int]:
    return list(Counter(start.pid for start in run.ledger.starts()).values())


def check_nothing_was_lost(run: Run) -> None:
    """Nothing ran twice, nobody was said to have died, no attempt was counted."""
    assert run.ledger.again() == {}
    for word in ("died", "killed", "exited", "started again"):
        assert word not in run.errors
    tasks = run.status()["tasks"]
    assert (tasks["failed"], tasks["resubmitted"]) == (0, 0)


def test_a_leak_stays_bounded(run: Run) -> None:
    limit = 90 * MB
    run.program("leaking", TASKS, 0.02, options=("--max-memory-per-worker", "90M"))
    total, most = map(int, run.finish().split())
    assert total == int(answer(TASKS))
    check_nothing_was_lost(run)
    assert len(per_process(run)) > 2, "nobody was replaced: the test shows nothing"
    # What leaks between two looks, on a machine that is busy.
    assert most < limit + 60 * MB
    assert most < TASKS / 2 * MB + 20 * MB, "as much as without a limit"


def test_after_some_tasks(run: Run) -> None:
    run.program("flat", TASKS, 0.01, options=("--max-tasks-per-worker", 20))
    assert run.finish() == answer(TASKS)
    check_nothing_was_lost(run)
    counts = per_process(run)
    counts.remove(1)  # the script's own line
    assert max(counts) == 20
    assert sum(counts) == TASKS


def test_each_task_in_a_process_of_its_own(run: Run) -> None:
    run.program("flat", 6, 0.0, options=("--max-tasks-per-worker", 1))
    assert run.finish() == answer(6)
    check_nothing_was_lost(run)
    assert per_process(run) == [1] * 7


@pytest.mark.parametrize("workers", [1, 2])
def test_a_parent_that_waits_is_not_interrupted(run: Run, workers: int) -> None:
    options = ("-n", workers, "--max-tasks-per-worker", 2)
    run.touch("go")
    run.program("parent", 4, 5, 0.01, options=options)
    expected = [sum(100 * p + c for c in range(5)) for p in range(4)]
    assert run.finish() == f"{2 * expected}\n"
    check_nothing_was_lost(run)
    assert len(per_process(run)) > 1 + workers


def test_a_resumed_run_keeps_the_limit(run: Run) -> None:
    run.program("flat", TASKS, 0.02, options=("--max-tasks-per-worker", 15))
    run.ledger.wait_for(100)
    run.strike_everything()
    before = len(run.ledger.starts())
    assert run.resume("-q").finish() == answer(TASKS)
    counts = Counter(start.pid for start in run.ledger.starts()[before:])
    assert 1 < max(counts.values()) <= 15


def test_the_broker_dies_while_workers_are_replaced(run: Run) -> None:
    run.program("flat", TASKS, 0.02, options=("--max-tasks-per-worker", 5))
    for reached in (40, 100, 160):
        run.ledger.wait_for(reached)
        run.strike("broker")
    assert run.finish() == answer(TASKS)
    assert run.ledger.again() == {}


@pytest.fixture
def helper(run: Run) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_workers_that_were_added_have_limits_of_their_own(
    run: Run, helper: list[subprocess.Popen[str]]
) -> None:
    run.program("flat", TASKS, 0.05, options=("-n", 1))
    own = run.pid("worker")
    words = ["worker", str(run.directory.path), "-n", "1", "--max-tasks-per-worker", "8"]
    helper.append(
        subprocess.Popen([*COMMAND, *words], cwd=run.folder, stderr=subprocess.PIPE, text=True)
    )
    assert run.finish() == answer(TASKS)
    assert run.ledger.again() == {}
    root = run.ledger.starts()[0].pid
    counts = Counter(s.pid for s in run.ledger.starts() if s.pid not in (own, root))
    assert len(counts) > 2
    assert max(counts.values()) == 8
