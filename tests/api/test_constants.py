"""Shared constants, also when the script's process has been started again."""

from __future__ import annotations

import pytest

from .conftest import Run, is_ok


@pytest.mark.parametrize("workers", [1, 2])
def test_constants(run: Run, workers: int) -> None:
    assert is_ok(run("constants.py", workers=workers))


def test_constants_of_a_script_that_was_killed(run: Run) -> None:
    done = run("restarted.py")
    assert done.stdout == "set twice\nok\n", done.stderr
