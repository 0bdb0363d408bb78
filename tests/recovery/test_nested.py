"""Trees of tasks that submit tasks, whose processes are killed at random (from a seed)."""

from __future__ import annotations

import random
import signal

import pytest

from .conftest import Run, signal_it

FAN = 5
ANSWER = [
    [sum(a * 10_000 + b * 100 + c for c in range(FAN)) for b in range(FAN)] for a in range(FAN)
]
KILLS = 7
OPTIONS = ("-n", 3, "--max-attempts", 20)


def test_undisturbed(run: Run) -> None:
    run.program("tree", FAN, 0.001, options=OPTIONS)
    assert run.finish() == f"{ANSWER}\n"
    assert run.ledger.again() == {}


@pytest.mark.parametrize("seed", range(4))
def test_a_tree_survives_any_death(run: Run, seed: int) -> None:
    dice = random.Random(seed)
    run.program("tree", FAN, 0.03, options=OPTIONS)
    killed: list[int] = []
    for _ in range(KILLS):
        run.ledger.wait_for(len(run.ledger.starts()) + dice.randint(2, 18))
        if run.has_ended():
            break
        who = dice.choice(["worker", "worker", "broker", "root", "everything"])
        if who == "everything":
            run.strike_everything()
            run.resume("-q")
        else:
            killed.append(run.strike(who, but=killed))
    assert run.finish() == f"{ANSWER}\n"
    assert run.status()["state"] == "done"
    leaves = {f"{a}.{b}.{c}" for a in range(FAN) for b in range(FAN) for c in range(FAN)}
    assert leaves <= set(run.ledger.times())


def test_a_parents_children_are_not_run_again_with_it(run: Run) -> None:
    children = 90
    run.program("parent", 1, children, 0.03, options=("-n", 3))
    starts = run.ledger.wait_for(40)
    (parent,) = (start.pid for start in starts if start.name == "a0")
    signal_it(parent, signal.SIGKILL)
    run.touch("go")
    total = sum(range(children))
    assert run.finish() == f"{[total, total]}\n"
    again = run.ledger.again()
    assert again.pop("a0") == 2
    assert len(again) <= 4, "finished children ran again with their parent"
