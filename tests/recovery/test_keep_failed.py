"""``resume --keep-failed``: what failed stays as it is recorded, until it is not kept any more."""

from __future__ import annotations

import json
import subprocess

from scoop_chaos.runs import COMMAND

from .conftest import Run
from .test_poison import kill_the_worker_of


def test_a_kept_failure_is_not_tried_again(run: Run) -> None:
    run.program("fails", 30)
    assert run.wait() == 1
    run.touch("go")  # now it would succeed
    assert run.resume("-q", "--keep-failed").wait() == 1
    assert "seven is not for now" in run.errors
    assert run.ledger.times()["7"] == 1
    assert _failed(run) == ["8"]
    assert run.resume("-q").finish() == f"{sum(n * n for n in range(30))}\n"
    assert run.ledger.again() == {"before": 3, "7": 2}
    assert _failed(run) == []


def test_a_task_that_was_given_up_stays_so(run: Run) -> None:
    run.program("blocked", 40, 20, options=("--max-attempts", 1))
    run.touch("begin")
    kill_the_worker_of(run, 20, 1)
    assert run.wait() == 1
    run.touch("go")
    assert run.resume("-q", "--keep-failed").wait() == 1
    assert json.loads(run.output) == [n * n if n != 20 else None for n in range(40)]
    assert run.ledger.times()["20"] == 1
    assert json.loads(run.resume("-q").finish()) == [n * n for n in range(40)]


def test_failures_are_kept_whatever_dies_during_the_resume(run: Run) -> None:
    run.program("fails", 30)
    assert run.wait() == 1
    run.touch("go")
    run.resume("-q", "--keep-failed")
    run.strike("broker")
    assert run.wait() == 1
    assert run.ledger.times()["7"] == 1


def _failed(run: Run) -> list[str]:
    """Return what ``journal ls --failed`` lists."""
    done = subprocess.run(
        [*COMMAND, "journal", "ls", "--failed", "--json", str(run.directory.path)],
        cwd=run.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line)["task"] for line in done.stdout.splitlines()]


def test_a_run_that_has_ended_goes_on_with_what_failed(run: Run) -> None:
    """Its script has caught the exception, and ended well."""
    run.program("caught", 12)
    assert run.finish() == "11\n"
    assert _failed(run) == ["4"]
    assert run.resume("-q", "--keep-failed").wait() == 0
    assert "is finished: 11 done, 0 pending, 1 failed" in run.errors
    run.touch("go")
    assert run.resume("-q").finish() == "12\n"
    assert run.ledger.again() == {"3": 2}, "nothing else is computed again"
    assert run.resume("-q").wait() == 0
    assert "is finished: 12 done, 0 pending, 0 failed" in run.errors
