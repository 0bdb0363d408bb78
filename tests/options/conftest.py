"""A run of the programs in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..recovery.conftest import Run

PROGRAMS = Path(__file__).parent / "programs"


class OwnRun(Run):
    """A run of a program of ours, with two workers unless the options say otherwise."""

    def own(self, name: str, *args: object, options: tuple[object, ...] = ()) -> OwnRun:
        """Start a program."""
        self.start(*map(str, ["-q", "-n", 2, *options, PROGRAMS / f"{name}.py", *args]))
        return self


@pytest.fixture
def run(tmp_path: Path, nothing_left: None) -> Iterator[OwnRun]:
    """A run in the test's folder, not started yet."""
    one = OwnRun(tmp_path)
    yield one
    one.end()
