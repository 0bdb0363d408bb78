"""Whoever dies, and however many workers there are: the same random numbers, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

from scoop_ft.client.asking import ask

from ..waiting import eventually
from .conftest import Run

MONTE_CARLO = Path(__file__).resolve().parents[2] / "docs" / "examples" / "monte_carlo_pi.py"
DARTS = ("--tasks", "400", "--darts", "70000")
NODES = 60  # each a task with three leaves
SEEDED = ("--seed", 7)


def monte_carlo(run: Run, *options: object) -> Run:
    run.start(*map(str, ("-q", *SEEDED, *options)), MONTE_CARLO, *DARTS)
    return run


def wait_for_done(run: Run, tasks: int) -> None:
    """Wait until so many tasks are done: asked from here, which is faster than by a command."""
    run.pid("broker")

    def done() -> bool:
        stats = ask(run.directory, 1.0)
        if stats is not None and stats["tasks"]["done"] >= tasks:
            return True
        assert not run.has_ended(), "it had ended already: kill it earlier"
        return False

    eventually(done)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A call that returns what a command prints when nothing happens; asked once for each."""
    found: dict[tuple[str, ...], str] = {}

    def ask(*words: object) -> str:
        key = tuple(map(str, words))
        if key not in found:
            folder = tmp_path_factory.mktemp("undisturbed")
            found[key] = RunProcess(folder).start("-q", *key).finish()
        return found[key]

    return ask


def pi(undisturbed: Callable[..., str]) -> str:
    return undisturbed(*SEEDED, "-n", 2, MONTE_CARLO, *DARTS)


# ---- the example --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 7])
def test_the_number_of_workers_changes_no_byte(
    run: Run, workers: int, undisturbed: Callable[..., str]
) -> None:
    assert monte_carlo(run, "-n", workers).finish() == pi(undisturbed)


def test_another_seed_gives_another_answer(run: Run, undisturbed: Callable[..., str]) -> None:
    assert monte_carlo(run, "-n", 2, "--seed", 8).finish() != pi(undisturbed)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_kills_change_no_byte(run: Run, workers: int, undisturbed: Callable[..., str]) -> None:
    monte_carlo(run, "-n", workers)
    killed: list[int] = []
    for at, victim in ((40, "worker"), (80, "broker"), (120, "root"), (160, "worker")):
        wait_for_done(run, at)
        killed.append(run.strike(victim, but=killed))
    assert run.finish() == pi(undisturbed)


def test_resumed_with_other_workers_it_is_the_same(
    run: Run, undisturbed: Callable[..., str]
) -> None:
    monte_carlo(run, "-n", 1)
    wait_for_done(run, 80)
    run.strike_everything()
    run.resume("-q", "-n", "2")
    wait_for_done(run, 200)
    run.strike_everything()
    assert run.output == "", "it had ended already: kill it earlier"
    assert run.resume("-q", "-n", "7").finish() == pi(undisturbed)


# ---- tasks that wait, and the global generators -------------------------------------------------


def draws(run: Run, how: str, options: Collection[object]) -> Run:
    return run.program("draws", how, NODES, 0.01, options=options)


def expected(undisturbed: Callable[..., str], run: Run, how: str) -> str:
    program = Path(__file__).parent / "programs" / "draws.py"
    return undisturbed(*SEEDED, "-n", 1, program, how, NODES, 0.0)


@pytest.mark.parametrize("workers", [2, 7])
def test_tasks_that_wait_draw_the_same_on_more_workers(
    run: Run, workers: int, undisturbed: Callable[..., str]
) -> None:
    draws(run, "both", (*SEEDED, "-n", workers))
    assert run.finish() == expected(undisturbed, run, "both")


@pytest.mark.parametrize("how", ["own", "shared"])
def test_tasks_that_wait_draw_the_same_after_kills(
    run: Run, how: str, undisturbed: Callable[..., str]
) -> None:
    draws(run, how, (*SEEDED, "-n", 3))
    killed: list[int] = []
    for at, victim in ((40, "worker"), (70, "broker"), (100, "root"), (130, "worker")):
        run.ledger.wait_for(at)
        killed.append(run.strike(victim, but=killed))
    run.ledger.wait_for(160)
    run.strike_everything()
    assert run.resume("-q", "-n", "2").finish() == expected(undisturbed, run, how)


def test_a_seed_that_was_drawn_is_kept(run: Run) -> None:
    draws(run, "own", ())
    run.ledger.wait_for(60)
    run.strike_everything()
    first = run.directory.info()
    assert not first.seeded
    answer = run.resume("-q").finish()
    assert run.directory.info().seed == first.seed

    again = Run(run.folder / "again")
    again.folder.mkdir()
    draws(again, "own", ("-n", 3, "--seed", first.seed))
    assert again.finish() == answer
    assert again.directory.info().seeded


def test_a_seed_given_to_resume_counts_from_then_on(run: Run) -> None:
    draws(run, "own", ())
    run.ledger.wait_for(20)
    run.strike_everything()
    run.resume("-q", "--seed", "3").finish()
    info = run.directory.info()
    assert (info.seed, info.seeded) == (3, True)


# ---- checkpoints and durable steps --------------------------------------------------------------


def test_checkpoints_and_durable_steps_hold_the_generators(
    run: Run, undisturbed: Callable[..., str]
) -> None:
    run.program("draws_kept", 40, 0.05, options=SEEDED)
    killed: list[int] = []
    for at, victim in ((20, "root"), (50, "worker"), (70, "broker")):
        run.ledger.wait_for(at)
        killed.append(run.strike(victim, but=killed))
    run.ledger.wait_for(90)
    run.strike_everything()
    answer = run.resume("-q").finish()
    program = Path(__file__).parent / "programs" / "draws_kept.py"
    assert answer == undisturbed(*SEEDED, "-n", 2, program, 40, 0.0)
