"""What every test may use: a run to start and kill, and a watch that nothing outlives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess, left_in


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Fail the test when a process that has to do with its folder is left at its end."""
    yield
    left = left_in(tmp_path)
    assert not left, "processes were left behind:\n" + "\n".join(left)


@pytest.fixture
def run_process(tmp_path: Path, nothing_left: None) -> Iterator[RunProcess]:
    """A run in the test's folder, not started yet."""
    process = RunProcess(tmp_path)
    yield process
    process.end()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_by_the_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the suite when a process that has to do with its folders is left at its end."""
    yield
    left = left_in(tmp_path_factory.getbasetemp())
    assert not left, "processes were left behind:\n" + "\n".join(left)
