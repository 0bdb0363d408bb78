"""Tasks that kill their workers, and tasks that were only near when one was killed."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from scoop_ft.launch.blame import ENDS_UNASKED

from .conftest import Run, signal_it

TASKS = 300
POISON = 137  # in the middle of a span: short tasks travel by the dozen


@pytest.mark.parametrize("attempts", [1, 3, 5])
def test_a_poison_task_fails_alone(run: Run, attempts: int) -> None:
    run.program("poison", TASKS, POISON, options=("--max-attempts", attempts))
    found = json.loads(run.finish())
    assert found["results"] == [n * n if n != POISON else None for n in range(TASKS)]
    assert run.ledger.times()[str(POISON)] == attempts

    details = found["details"]
    assert details["attempts"] == attempts
    assert details["signal"] == signal.SIGSEGV
    assert details["host"] == socket.gethostname()
    assert f"swallowing {POISON}" in details["stderr"]
    for word in ("swallow", "SIGSEGV", socket.gethostname(), "neighbours", details["task"]):
        assert word in found["text"]
    tasks = run.status()["tasks"]
    assert (tasks["done"], tasks["failed"]) == (TASKS - 1, 1)


@pytest.mark.parametrize("how", ["exit", "exec"])
def test_a_task_that_ends_its_worker_in_good_order_is_to_blame_too(run: Run, how: str) -> None:
    run.program("exits_well", how)
    assert run.finish() == "['0', '1', '2', 'exit code 0', '4', '5']\n"
    assert run.ledger.times()["3"] == 3


def test_a_task_that_tells_its_worker_to_end_is_given_up(run: Run) -> None:
    # By somebody else, a worker may be told that more often than a task may crash.
    run.program("exits_well", "sigterm")
    assert run.finish() == "['0', '1', '2', 'exit code 0', '4', '5']\n"
    assert 3 < run.ledger.times()["3"] <= ENDS_UNASKED + 3


def test_a_child_that_kills_at_once_is_found_too(run: Run) -> None:
    # With one worker nobody else is idle: nothing makes it tell of its children in time.
    run.program("poison_child", options=("-n", 1))
    assert json.loads(run.finish()) == ["0", "1", "2", "lost after 3", "4", "5"]
    assert run.ledger.times()["poison"] <= 3 + 2  # before it was told, nobody could count it


def test_a_resumed_run_tries_a_lost_task_again(run: Run) -> None:
    run.program("blocked", 40, 20, options=("--max-attempts", 1))
    run.touch("begin")
    kill_the_worker_of(run, 20, 1)
    assert run.wait() == 1
    assert json.loads(run.output) == [n * n if n != 20 else None for n in range(40)]
    run.touch("go")
    assert json.loads(run.resume("-q").finish()) == [n * n for n in range(40)]
    assert run.ledger.times()["20"] == 2


def kill_the_worker_of(run: Run, task: int, time: int) -> None:
    """Kill the worker that has started a task for the so-manieth time."""
    starts = run.ledger.wait(lambda found: [s.name for s in found].count(str(task)) >= time)
    signal_it([s.pid for s in starts if s.name == str(task)][-1], signal.SIGKILL)


def test_killed_from_outside_twice_it_succeeds_the_third_time(run: Run) -> None:
    run.program("blocked", 100, 50)
    run.touch("begin")
    kill_the_worker_of(run, 50, 1)
    kill_the_worker_of(run, 50, 2)
    run.ledger.wait(lambda found: [s.name for s in found].count("50") == 3)
    run.touch("go")
    assert json.loads(run.finish()) == [n * n for n in range(100)]
    assert run.ledger.times()["50"] == 3


def test_only_the_task_that_ran_is_blamed(run: Run) -> None:
    # One worker, so that the task's neighbours stand behind it in the same worker; one attempt.
    run.program("blocked", 200, 100, options=("-n", 1, "--max-attempts", 1))
    run.touch("begin")
    kill_the_worker_of(run, 100, 1)
    assert run.wait() == 1
    assert json.loads(run.output) == [n * n if n != 100 else None for n in range(200)]


def test_a_worker_killed_while_idle_is_nobodys_attempt(run: Run) -> None:
    run.program("blocked", 50, 999, options=("-n", 1, "--max-attempts", 1))
    killed: list[int] = []
    for _ in range(3):
        run.wait_until(lambda found: [w["state"] for w in found["workers"]] == ["idle"])
        killed.append(run.strike("worker", but=killed))
        run.pid("worker", but=killed)
    run.touch("begin")
    assert json.loads(run.finish()) == [n * n for n in range(50)]
    assert run.ledger.again() == {}
