"""Silent is not dead: a worker that is stopped, and one whose task holds the GIL for long."""

from __future__ import annotations

import json
import signal
import time

import pytest

from scoop_ft.broker import timing

from .conftest import Run, signal_it
from .ledger import Start

ELSEWHERE_S = 8.0  # "within seconds", on a machine that has others to serve
HOLD_S = 9


def names(part: str, tasks: int) -> set[str]:
    return {f"{part}{n}" for n in range(tasks)}


def stop_one(run: Run, starts: list[Start]) -> tuple[int, float]:
    """Stop the worker that has started something last."""
    victim = starts[-1].pid
    signal_it(victim, signal.SIGSTOP)
    return victim, time.monotonic()


def test_a_stopped_workers_span_runs_elsewhere_and_it_comes_back(run: Run) -> None:
    tasks = 300
    run.program("twice", tasks, 0.005)
    starts = run.ledger.wait_for(100)  # by now its span is of several tasks
    victim, at = stop_one(run, starts)
    run.ledger.wait_for_names(["between"])
    assert time.monotonic() - at < ELSEWHERE_S
    assert victim not in {s.pid for s in run.ledger.starts() if s.at > at + 0.05}
    stopped = run.wait_until(
        lambda found: [w["state"] for w in found["workers"] if w["pid"] == victim] == ["stopped"]
    )
    assert stopped["tasks"]["done"] == tasks

    signal_it(victim, signal.SIGCONT)
    run.wait_until(
        lambda found: [w["state"] for w in found["workers"] if w["pid"] == victim] == ["idle"]
    )
    run.touch("go")
    total = sum(n * n for n in range(tasks))
    assert run.finish() == f"{total} {total}\n"
    assert victim in {start.pid for start in run.ledger.starts() if start.name[0] == "b"}
    found = run.status()["tasks"]
    assert (found["submitted"], found["done"]) == (2 * tasks, 2 * tasks)
    assert set(run.ledger.times()) == {"between", *names("a", tasks), *names("b", tasks)}
    had = {start.name for start in run.ledger.starts() if start.pid == victim}
    assert set(run.ledger.again()) <= had, "what others had done has run again"


def test_a_worker_stopped_while_its_task_waits_for_children(run: Run) -> None:
    parents, children = 4, 40
    run.program("parent", parents, children, 0.01)
    starts = run.ledger.wait_for_names(["a0.5", "a1.5"])
    victim = next(start.pid for start in starts if start.name == "a0")
    signal_it(victim, signal.SIGSTOP)
    at = time.monotonic()
    run.ledger.wait_for_names(["between"])
    assert time.monotonic() - at < ELSEWHERE_S + 2
    times = run.ledger.times()
    assert times["a0"] == 2

    signal_it(victim, signal.SIGCONT)
    run.wait_until(
        lambda found: [w["state"] for w in found["workers"] if w["pid"] == victim] == ["idle"]
    )
    run.touch("go")
    answer = [sum(100 * p + c for c in range(children)) for p in range(parents)]
    assert run.finish() == f"{answer + answer}\n"
    assert all(n == 1 for name, n in run.ledger.times().items() if name.startswith("b"))


@pytest.mark.parametrize("kill_broker", [False, True], ids=["alone", "broker killed meanwhile"])
def test_a_task_that_holds_the_gil_for_long_is_left_alone(run: Run, kill_broker: bool) -> None:
    limits = (timing.GRACE_S, timing.LOST_S, timing.SILENT_AGENT_S, timing.UNANSWERED_S)
    assert max(limits) + 3 < HOLD_S
    run.program("gil", HOLD_S, 120)
    starts = run.ledger.wait_for_names(["hold", "10"])
    if kill_broker:
        run.strike("broker")
    (began,) = (start.at for start in starts if start.name == "hold")
    run.ledger.wait_for_names(map(str, range(120)))
    assert time.monotonic() < began + HOLD_S, "the others had to wait"
    found = json.loads(run.finish())
    held, pause = found["held"]
    assert held >= HOLD_S - 0.1
    assert pause > HOLD_S - 1, "it did not hold the GIL"
    assert found["squares"] == [n * n for n in range(120)]
    assert run.ledger.again() == {}
