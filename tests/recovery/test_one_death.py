"""One process dies, again and again: a worker, the broker, the root.  The answer stays right."""

from __future__ import annotations

import signal
import time
from collections import defaultdict

from .conftest import Run, signal_it
from .ledger import Start

TASKS = 200
ANSWER = f"{sum(n * n for n in range(TASKS))}\n"
NOTICED_S = 0.25
SYNCED_S = 0.5  # a result is on the disk by then, also when the disk is busy
HELD = 3  # a worker's last tasks: the one that ran, and those whose results had not left


def tasks_of(starts: list[Start]) -> list[Start]:
    return [start for start in starts if start.name != "before"]


def running(run: Run, young_s: float = 0.008) -> Start:
    """Wait for a task that has just begun."""
    return run.ledger.wait(
        lambda starts: starts[-1].name != "before" and time.monotonic() - starts[-1].at < young_s
    )[-1]


def second_start(run: Run, name: str) -> float:
    starts = run.ledger.wait(lambda found: [s.name for s in found].count(name) > 1)
    return [start.at for start in starts if start.name == name][1]


def test_what_a_killed_worker_held_runs_elsewhere_at_once(run: Run) -> None:
    run.program("flat", 400, 0.02, options=("-n", 3))
    run.ledger.wait_for(40)
    killed: dict[int, float] = {}
    delays = []
    for _ in range(4):
        victim = running(run)
        killed[victim.pid] = time.monotonic()
        signal_it(victim.pid, signal.SIGKILL)
        delays.append(second_start(run, victim.name) - killed[victim.pid])
        run.ledger.wait_for(len(run.ledger.starts()) + 15)
    assert run.finish() == f"{sum(n * n for n in range(400))}\n"
    assert min(delays) < NOTICED_S, delays
    check_reruns(run.ledger.starts(), killed)
    workers = {start.pid for start in run.ledger.starts()[-60:]}
    assert workers.isdisjoint(killed)
    assert workers - {start.pid for start in run.ledger.starts()[:40]}, "no new worker has worked"


def check_reruns(starts: list[Start], killed: dict[int, float]) -> None:
    """Only what a killed worker was at when it died has run again."""
    by_worker: dict[int, list[Start]] = defaultdict(list)
    for start in tasks_of(starts):
        by_worker[start.pid].append(start)
    may = {start.name for pid in killed for start in by_worker[pid][-HELD:]}
    again = {name for name in {s.name for s in starts} if [s.name for s in starts].count(name) > 1}
    assert again <= may


def test_all_workers_killed_at_once(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    run.ledger.wait_for(50)
    workers = run.workers(2)  # not from its status: the run may be over before that has answered
    for victim in workers:
        signal_it(victim, signal.SIGKILL)
    killed = dict.fromkeys(workers, time.monotonic())
    assert run.finish() == ANSWER
    check_reruns(run.ledger.starts(), killed)


def test_a_killed_broker_costs_no_task(run: Run) -> None:
    run.program("flat", TASKS, 0.01)
    run.ledger.wait_for(60)
    run.strike("broker")
    assert run.finish() == ANSWER
    assert run.ledger.again() == {}
    assert len(run.ledger.starts()) == 1 + TASKS


def test_a_broker_killed_several_times_costs_no_task(run: Run) -> None:
    run.program("flat", TASKS, 0.03)
    run.ledger.wait_for(20)
    killed: list[int] = []
    for _ in range(4):
        before = len(run.ledger.starts())
        killed.append(run.strike("broker", but=killed))
        run.pid("broker", but=killed)
        run.ledger.wait_for(before + 15)
    assert run.finish() == ANSWER
    assert run.ledger.again() == {}
    assert len(run.ledger.starts()) == 1 + TASKS


def test_a_broker_killed_as_it_starts(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    run.ledger.wait_for(40)
    killed: list[int] = []
    for _ in range(3):  # the second and third die before they are up
        killed.append(run.strike("broker", but=killed))
    assert run.finish() == ANSWER
    assert run.ledger.again() == {}


def test_a_killed_root_is_run_again_and_its_tasks_are_not(run: Run) -> None:
    run.program("flat", TASKS, 0.01)
    run.ledger.wait_for(60)
    run.strike("root")
    assert run.finish() == ANSWER
    assert run.ledger.again() == {"before": 2}
    assert len(run.ledger.starts()) == 2 + TASKS


def test_a_root_killed_several_times(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    killed: list[int] = []
    for k in range(3):
        run.ledger.wait_for(20 + 40 * k)
        killed.append(run.strike("root", but=killed))
        run.ledger.wait(lambda s, k=k: [x.name for x in s].count("before") >= 2 + k)  # type: ignore[misc]
    assert run.finish() == ANSWER
    assert run.ledger.again() == {"before": 4}


def test_root_and_broker_killed_together(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    run.ledger.wait_for(40)
    run.strike("root")
    run.strike("broker")
    assert run.finish() == ANSWER
    assert run.ledger.again() == {"before": 2}


def test_all_but_the_launcher_killed_at_once(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    run.ledger.wait_for(60)
    run.kill("root", "broker", "workers")
    killed = time.monotonic()
    assert run.finish() == ANSWER
    again = run.ledger.again()
    assert again.pop("before") == 2
    # What had not been synced is lost together with its worker; what is older is not.
    old = {start.name for start in run.ledger.starts() if start.at < killed - SYNCED_S}
    assert old.isdisjoint(again)
    assert max(again.values(), default=2) == 2
