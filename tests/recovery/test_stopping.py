"""Stopped by the clock or a scheduler: in good order, with an exit code that says "resume me"."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from scoop_chaos.runs import left_in

from .conftest import Run, signal_it

TASKS = 200
ANSWER = f"{sum(n * n for n in range(TASKS))}\n"
RESUME_ME = 75
SOON_S = 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_of_a_scheduler_stops_run_and_resume(run: Run, number: int) -> None:
    run.program("flat", TASKS, 0.02)
    for done in (30, 90):
        run.ledger.wait_for(done)
        began = time.monotonic()
        run.send(number)
        assert run.wait() == RESUME_ME
        assert time.monotonic() - began < SOON_S, "nobody has anything to save"
        assert left_in(run.folder, limit=0.5) == []
        assert (
            f"stopped by {signal.Signals(number).name}; go on with: scoop-ft resume" in run.errors
        )
        run.resume("-q")
    assert run.finish() == ANSWER
    again = run.ledger.again()
    assert again.pop("before") == 3
    assert len(again) <= 4, "only what ran when it was stopped may run again"


def test_it_stops_when_its_time_is_over_and_again_until_it_is_done(run: Run) -> None:
    began = time.monotonic()
    run.program("flat", TASKS, 0.05, options=("--stop-after", "3s"))
    assert run.wait() == RESUME_ME
    assert 3.0 <= time.monotonic() - began < 3.0 + SOON_S
    assert "stopped: its time is over; go on with: scoop-ft resume" in run.errors
    codes = []
    while not codes or codes[-1] == RESUME_ME:
        codes.append(run.resume("-q", "--stop-after", "00:00:03").wait())
    assert codes[-1] == 0
    assert run.output == ANSWER
    assert len({start.name for start in run.ledger.starts()}) == 1 + TASKS


def test_a_script_that_ends_as_it_is_stopped_has_ended(run: Run) -> None:
    """Nothing is left to be resumed, whether it was at its end or makes one."""
    script = run.folder / "ends.py"
    script.write_text(
        "import time\nfrom scoop_ft import futures\nif __name__ == '__main__':\n"
        "    try:\n        print(futures.submit(abs, -7).result(), flush=True)\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        print('ended', flush=True)\n"
    )
    run.start("-n", "1", "--run-dir", run.folder / "a-run", "--stop-after", "3s", script)
    assert run.wait() == 0, run.errors
    assert run.output == "7\nended\n"
    assert "resume" not in run.errors
    run.resume("-q")
    assert run.wait() == 0
    assert "is finished" in run.errors


def test_a_run_that_is_done_in_time_ends_as_ever(run: Run) -> None:
    run.program("flat", 20, 0.001, options=("--stop-after", "1h"))
    assert run.finish() == f"{sum(n * n for n in range(20))}\n"


def test_tasks_save_before_they_are_stopped(run: Run) -> None:
    """Each would save once an hour only; none makes a step twice."""
    run.program("saving", 600, 3600.0)
    run.ledger.wait_for(100)
    run.send(signal.SIGTERM)
    assert run.wait() == RESUME_ME
    steps = len(run.ledger.starts()) - 1
    assert 100 <= steps + 1 < 600
    assert run.resume("-q").finish() == f"{sum(range(600))}\n"
    assert run.ledger.again() == {"begin": 2}


def test_what_does_not_end_is_not_waited_for_any_longer_than_it_takes_to_save(run: Run) -> None:
    run.program("stuck", 60, options=("-n", 3))
    run.ledger.wait_for_names(map(str, range(60)))
    began = time.monotonic()
    run.send(signal.SIGTERM)
    assert run.wait() == RESUME_ME
    assert time.monotonic() - began < 10.0 + SOON_S
    assert left_in(run.folder, limit=0.5) == []


def test_a_second_signal_ends_it_at_once(run: Run) -> None:
    run.program("stuck", 60, options=("-n", 3))
    run.ledger.wait_for_names(map(str, range(60)))
    run.send(signal.SIGUSR1)
    run.wait_gone([run.pid("root")])  # it has begun to stop
    began = time.monotonic()
    run.send(signal.SIGTERM)
    assert run.wait() == RESUME_ME
    assert time.monotonic() - began < SOON_S


def test_a_duration_that_is_none_is_refused(run: Run) -> None:
    run.start("--stop-after", "soon", str(Path(__file__).parent / "programs" / "flat.py"))
    assert run.wait() == 2
    assert "'soon' is not a duration: write 90s, 3h50m, 1d or HH:MM:SS" in run.errors


@pytest.mark.parametrize("first", ["launcher", "broker"])
def test_a_scheduler_that_tells_every_process_to_end(run: Run, first: str) -> None:
    """As Slurm does at a time limit: the broker goes, too, and is needed once more."""
    run.program("saving", 600, 3600.0)
    run.ledger.wait_for(100)
    victims = {name: run.pid(name) for name in ("launcher", "broker", "root")}
    workers = [run.pid("worker")]
    workers.append(run.pid("worker", but=workers))
    order = [victims.pop(first), *victims.values(), *workers]
    for pid in order:
        signal_it(pid, signal.SIGTERM)
    assert run.wait() == RESUME_ME
    assert left_in(run.folder, limit=0.5) == []
    assert run.resume("-q").finish() == f"{sum(range(600))}\n"
    assert run.ledger.again() == {"begin": 2}
