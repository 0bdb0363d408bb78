"""Maps over what has no end, and maps that collect what fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import scoop_ft

from .conftest import LIMIT_S, Run

CALLS, BUFFER = 72_000, 400  # what a process takes for itself comes and goes by some 8 MB
ALL_OF_IT = 2 * CALLS * 4_096 // 4  # bytes of the arguments between the first and the third look

TYPED = """\
from collections.abc import Iterator
from scoop_ft import futures

def half(n: int) -> float:
    return n / 2

plain: Iterator[float] = futures.map(half, [1], buffersize=2)
some: Iterator[float] = futures.map_as_completed(half, [1], on_error="raise")
both: Iterator[float | BaseException] = futures.map(half, [1], on_error="collect")
reveal_type(next(futures.map(half, [1], buffersize=2)))
reveal_type(next(futures.map(half, [1], on_error="collect")))
reveal_type(next(futures.map_as_completed(half, [1], on_error="collect", buffersize=3)))
futures.map(half, [1], on_error="ignore")
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_buffers_and_collected_errors(run: Run, workers: int) -> None:
    done = run("buffered.py", workers=workers)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok\n"


def test_the_same_without_a_run(serially: Run) -> None:
    done = serially("buffered.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok\n"


def test_an_endless_map_takes_bounded_memory(run: Run) -> None:
    done = run("endless.py", str(CALLS), str(BUFFER), limit=2 * LIMIT_S)
    assert done.returncode == 0, done.stderr
    looks = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert [taken for taken, _, _ in looks] == [CALLS * k // 4 for k in (1, 2, 3, 4)]
    for who in (1, 2):  # the root; the broker
        assert looks[2][who] - looks[0][who] < ALL_OF_IT / 10, looks


def test_types_say_that_errors_may_be_collected(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--follow-imports=silent",
            "--cache-dir",
            tmp_path / "cache",
            "typed.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(Path(scoop_ft.__file__).parents[1])},
    )
    said = done.stdout.splitlines()
    assert [line.partition("note: ")[2] for line in said[:3]] == [
        'Revealed type is "float"',
        'Revealed type is "float | BaseException"',
        'Revealed type is "float | BaseException"',
    ], done.stdout
    assert any("typed.py:13: error: No overload variant" in line for line in said)
    assert sum(": error: " in line for line in said) == 1
