"""Ctrl-Z stops all local processes of a run, and 'fg' lets all of them go on."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil
from scoop_chaos.runs import COMMAND

from ..waiting import eventually
from .conftest import Run, signal_it
from .test_launcher_death import answer

TASKS = 200
LIMIT_S = 20.0


def are(pids: list[int], status: str) -> bool:
    return all(psutil.Process(pid).status() == status for pid in pids)


def wait_stopped(pids: list[int]) -> None:
    eventually(
        lambda: are(pids, psutil.STATUS_STOPPED), lambda: [psutil.Process(pid) for pid in pids]
    )


def test_all_stop_and_all_go_on(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    run.ledger.wait_for(40)
    first = run.pid("worker")
    pids = [run.pid(name) for name in ("launcher", "root", "broker")]
    pids += [first, run.pid("worker", but=[first])]
    for _ in range(2):
        begun = len(run.ledger.starts())
        run.send(signal.SIGTSTP)
        wait_stopped(pids)
        before = run.ledger.starts()
        time.sleep(2.5)  # longer than the silence that peers put up with
        assert run.ledger.starts() == before
        run.send(signal.SIGCONT)
        run.ledger.wait_for(begun + 30)
    assert run.finish() == answer(TASKS)
    assert run.ledger.again() == {}
    assert run.errors == ""


def test_one_that_was_stopped_before_stays_so(run: Run) -> None:
    run.program("flat", TASKS, 0.02)
    run.ledger.wait_for(20)
    victim = run.pid("worker")
    signal_it(victim, signal.SIGSTOP)
    run.wait_until(lambda found: "stopped" in [w["state"] for w in found["workers"]])
    other = run.pid("worker", but=[victim])
    run.send(signal.SIGTSTP)
    wait_stopped([other, victim])
    begun = len(run.ledger.starts())
    run.send(signal.SIGCONT)
    run.ledger.wait_for(begun + 20)
    assert are([victim], psutil.STATUS_STOPPED)
    signal_it(victim, signal.SIGCONT)
    assert run.finish() == answer(TASKS)


def test_an_agent_of_its_own_stops_its_workers_too(run: Run) -> None:
    run.program("flat", TASKS, 0.05, options=("-n", 1))
    own = run.pid("worker")
    words = [*COMMAND, "worker", str(run.directory.path), "-n", "1"]
    with subprocess.Popen(words, cwd=run.folder, stderr=subprocess.PIPE) as agent:
        starts = run.ledger.wait(
            lambda found: any(s.pid != own for s in found[1:])  # the first is the script's
        )
        [added] = {s.pid for s in starts[1:]} - {own}
        try:
            agent.send_signal(signal.SIGTSTP)
            wait_stopped([agent.pid, added])
            agent.send_signal(signal.SIGCONT)
            assert run.finish() == answer(TASKS)
            agent.communicate(timeout=LIMIT_S)
        finally:
            agent.kill()
