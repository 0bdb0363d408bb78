"""Options in whole runs: real processes that hang, die and are stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

from scoop_chaos.runs import COMMAND

from ..recovery.conftest import signal_it
from .conftest import OwnRun

WAITS_S = 3.0  # for something that shall not happen


def test_a_time_limit_frees_the_worker_whatever_its_task_does(run: OwnRun) -> None:
    told = json.loads(run.own("limited").finish())
    assert told["squares"] == sum(n * n for n in range(200))
    assert told["hold"].startswith("limited.hold had not ended on ")
    assert "after its time limit of 1 s" in told["hold"]
    assert told["catches"] == "49 TaskTimeout"
    assert "had not ended" in told["waits"]
    times = run.ledger.times()
    assert times["hold1"] == times["hold7"] == times["child3"] == 1, "none is tried again"
    holders = {start.pid for start in run.ledger.starts() if start.name.startswith("hold")}
    assert len(holders) == 2, "its process was replaced"
    tasks = run.status()["tasks"]
    assert tasks["failed"] in (2, 3)  # the parent that waits, or its child before it

    run.touch("go")
    before = run.ledger.times()
    again = json.loads(run.resume("-q").finish())
    assert again == {
        "squares": told["squares"], "hold": "held", "catches": "49 TaskTimeout", "waits": "waited",
    }  # fmt: skip
    after = run.ledger.times() - before
    assert set(after) <= {"hold1", "waits3", "child3"}, "only what had failed runs again"


def test_what_may_not_be_repeated_ends_with_its_worker(run: OwnRun) -> None:
    run.own("once", "no")
    paying = run.ledger.wait_for_names(["pays"])[0].pid
    signal_it(paying, signal.SIGKILL)
    run.touch("begun")
    run.ledger.wait_for_names(["between"])
    run.touch("go")
    out = run.finish()
    assert out.startswith("once.pays was begun, and its worker died of SIGKILL on ")
    assert run.ledger.times()["pays"] == 1


def test_what_may_be_repeated_does_not(run: OwnRun) -> None:
    run.own("once", "yes")
    signal_it(run.ledger.wait_for_names(["pays"])[0].pid, signal.SIGKILL)
    run.ledger.wait(lambda starts: [s.name for s in starts].count("pays") == 2)
    run.touch("begun")
    run.touch("go")
    assert run.finish() == "paid 5\n"


def test_what_may_not_be_repeated_is_waited_for(run: OwnRun) -> None:
    """Its worker is stopped for long enough for the others to be given all else."""
    run.own("once", "no")
    paying = run.ledger.wait_for_names(["pays"])[0].pid
    signal_it(paying, signal.SIGSTOP)
    run.touch("begun")
    run.ledger.wait_for_names(["between"])
    run.wait_until(lambda found: "repeatable=False" in found["waiting"])
    deadline = time.monotonic() + WAITS_S
    while time.monotonic() < deadline:
        assert run.ledger.times()["pays"] == 1
        time.sleep(0.1)
    run.touch("go")
    signal_it(paying, signal.SIGCONT)
    assert run.finish() == "paid 5\n"
    assert run.ledger.times()["pays"] == 1


def test_each_task_has_its_attempts(run: OwnRun) -> None:
    out = run.own("deadly", options=("--max-attempts", 2)).finish()
    assert out.split() == ["default", "2", "one", "1", "three", "3"]
    assert run.ledger.times() == {"default": 2, "one": 1, "three": 3}


def test_keys_stand_for_arguments_and_options_change_nothing(run: OwnRun) -> None:
    run.own("keyed", 50)
    assert run.wait() == 3
    assert run.output == "A B C 1 2 3\n"
    run.resume("-q", "--", "60")
    assert run.finish().startswith("C A B D 1 2 3\n")
    assert run.ledger.times() == {
        name: 1 for name in ("a", "b", "c", "d", "plain0", "plain1", "plain2")
    }


def test_resources_are_waited_for_and_priorities_kept(run: OwnRun) -> None:
    run.own("needing", options=("-n", 1))
    run.ledger.wait_for_names(["first"])
    run.wait_until(lambda found: found["waiting"] == "3 tasks need gpu=1; no worker has it")
    joined = subprocess.Popen(
        [*COMMAND, "worker", str(run.directory.path), "-n", "1", "--resources", "gpu=1,tape=2"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, cwd=run.folder,
    )  # fmt: skip
    try:
        starts = run.ledger.wait_for_names(["g1", "g2", "g3"])
        first = next(start.pid for start in starts if start.name == "first")
        assert {s.pid for s in starts if s.name[0] == "g"} - {first}
        run.touch("go")
        assert run.finish().startswith("1 ")
        assert joined.wait(30) == 0
    finally:
        if joined.poll() is None:
            os.killpg(joined.pid, signal.SIGKILL)
        joined.communicate()
    order = [s.name for s in run.ledger.starts() if s.name in ("low", "normal", "high")]
    assert order == ["high", "normal", "low"]


def test_workers_of_a_run_have_resources(run: OwnRun) -> None:
    run.touch("go")
    run.own("needing", options=("--resources", "gpu=1"))
    assert run.finish()


def test_a_subtree_is_given_up_while_it_runs(run: OwnRun) -> None:
    run.own("given_up", options=("-n", 2))
    # Both workers are in tasks that never end: nothing is on its way to them.
    run.ledger.wait(lambda starts: [len(start.name) for start in starts].count(3) == 2)
    run.touch("begun")
    run.ledger.wait_for_names(["cancelled"])
    begun = {start.pid for start in run.ledger.starts() if start.name != "cancelled"}
    before = run.ledger.times()
    for pid in begun:
        signal_it(pid, signal.SIGKILL)  # what waits for the file that never comes
    run.touch("go")
    assert run.finish() == f"{sum(range(100))}\n"
    assert run.ledger.times() == before, "nothing of it was begun again"


def test_who_waits_too_long_is_ended_without_harm_to_who_computes(run: OwnRun) -> None:
    run.own("innocent", options=("-n", 1))
    starts = run.ledger.wait_for_names(["computes", "told"])
    assert len({start.pid for start in starts if start.name in ("waits", "computes")}) == 1
    run.touch("go")
    told, innocent = run.finish().splitlines()
    assert "after its time limit of 1 s, while it waited" in told
    assert innocent == "innocent"
    assert run.ledger.times() == {"waits": 1, "computes": 1, "told": 1}
