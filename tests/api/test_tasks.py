"""What tasks may be and do, how they nest, and what cannot be sent."""

from __future__ import annotations

import re

import pytest

from .conftest import Run, is_ok


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_nesting(run: Run, workers: int) -> None:
    assert is_ok(run("nesting.py", str(workers), workers=workers))


def test_what_tasks_are_and_do(run: Run) -> None:
    done = run("tasks.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ok\n")
    lines = re.findall(r"^begin (\d+) x{200} end \1$", done.stdout, re.MULTILINE)
    assert sorted(map(int, lines)) == list(range(50))  # whole lines
    assert done.stderr == "a task has logged\n"


def test_what_cannot_travel(run: Run) -> None:
    assert is_ok(run("mistakes.py"))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_script_has_set_in_context_variables_holds_for_all_tasks(
    run: Run, workers: int
) -> None:
    assert is_ok(run("contexts.py", workers=workers))
    assert is_ok(run("late_contexts.py", workers=workers))


@pytest.mark.parametrize("what", ["folder", "removed", "prints", "warns", "loops"])
def test_tasks_that_wait_find_the_process_as_they_left_it(run: Run, what: str) -> None:
    assert is_ok(run("places.py", what))
