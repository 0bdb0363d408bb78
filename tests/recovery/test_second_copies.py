"""A task that does not get on where it runs is run by an idle worker too."""

from __future__ import annotations

from .conftest import Run

TASKS = 20
ANSWER = f"{sum(n * n for n in range(TASKS))}\n"
STALLS = str(TASKS - 3)


def test_a_run_does_not_wait_for_a_worker_that_stalls(run: Run) -> None:
    run.program("stalls", TASKS)
    assert run.wait() == 0
    assert run.output == ANSWER
    assert run.ledger.again() == {STALLS: 2}
    assert (
        "second copies of tasks on slow workers: 0, now 1"
        in run.directory.log("broker").read_text()
    )


def test_its_worker_may_die_meanwhile(run: Run) -> None:
    run.program("stalls", TASKS)
    starts = run.ledger.wait(lambda found: sum(s.name == STALLS for s in found) == 2)
    run.strike("worker", but=[p for p in _pids(run) if p != _first(starts)])
    assert run.wait() == 0
    assert run.output == ANSWER
    assert run.ledger.again() == {STALLS: 2}


def _pids(run: Run) -> list[int]:
    live = run.directory.live()
    return [] if live is None else [worker.pid for worker in live.workers]


def _first(starts: list) -> int:  # type: ignore[type-arg]
    return int(next(start.pid for start in starts if start.name == STALLS))
