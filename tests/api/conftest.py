"""Runs the programs of this folder to their end, by the real command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
LIMIT_S = 60.0

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, nothing_left: None) -> Run:
    """A call that runs a program with ``scoop-ft run`` and returns what came of it."""

    def run_it(
        program: str | Path, *args: str, workers: int = 2, stdin: str = "", limit: float = LIMIT_S,
        options: Sequence[str] = (),
    ) -> Done:  # fmt: skip
        path = PROGRAMS / program
        words = ["run", "-q", "-n", str(workers), *options, str(path), *args]
        return _call([sys.executable, "-m", "scoop_ft", *words], tmp_path, stdin, limit)

    return run_it


@pytest.fixture
def serially(tmp_path: Path) -> Run:
    """A call that runs a program with plain ``python``."""

    def run_it(program: str | Path, *args: str) -> Done:
        return _call([sys.executable, str(PROGRAMS / program), *args], tmp_path, "", LIMIT_S)

    return run_it


def _call(command: list[str], folder: Path, stdin: str, limit: float) -> Done:
    try:
        return subprocess.run(
            command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired as late:
        said = [(text or b"").decode()[-4000:] for text in (late.stdout, late.stderr)]
        raise AssertionError(f"no end within {limit} s; stdout and stderr: {said}") from None


def is_ok(done: Done) -> bool:
    """Tell whether a program came to its end and nobody complained; show it when not."""
    good = done.returncode == 0 and done.stdout.endswith("ok\n") and not done.stderr
    if not good:
        print(f"exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
    return good
