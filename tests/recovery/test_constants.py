"""A script that sets a shared constant to another value than before: nothing stale is served."""

from __future__ import annotations

import pytest

from .conftest import Run


@pytest.fixture
def stopped(run: Run) -> Run:
    """A run whose tasks have used the constant 2."""
    run.program("scaled", 2)
    assert run.wait() == 1
    return run


def test_the_same_value_is_no_matter(stopped: Run) -> None:
    assert stopped.resume("-q", "--", "2", "end").finish() == "[0, 2, 4, 6]\n"
    assert stopped.ledger.times()["3"] == 1


def test_with_another_one_the_user_is_asked(stopped: Run) -> None:
    stopped.resume("-q", "--", "3", "end")
    assert stopped.wait() != 0
    assert "the constant 'factor' is set to another value than before" in stopped.errors
    assert "4 recorded results" in stopped.errors
    assert stopped.ledger.times()["3"] == 1, "nothing was run or lost"
    assert stopped.resume("-q", "--", "2", "end").finish() == "[0, 2, 4, 6]\n"


@pytest.mark.parametrize(("option", "factor"), [("--redo-changed", 3), ("--keep-results", 2)])
def test_and_says_what_counts(stopped: Run, option: str, factor: int) -> None:
    stopped.resume("-q", option, "--", "3", "end")
    assert stopped.finish() == f"{[factor * n for n in range(4)]}\n"


def test_who_has_answered_is_not_asked_again(stopped: Run) -> None:
    stopped.resume("-q", "--keep-results", "--", "3")
    assert stopped.wait() == 1
    assert stopped.resume("-q", "--", "3", "end").finish() == "[0, 2, 4, 6]\n"
