"""Random numbers in real runs that nobody disturbs; `tests/recovery` disturbs them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND

from scoop_ft.rundir import find_runs

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).with_name("programs")
LIMIT_S = 60.0
SHARED = {"Random", "SystemRandom", "getstate", "seed", "setstate"}  # of `random`: draw nothing


def run(folder: Path, program: str, *args: str, options: tuple[str, ...] = ()) -> str:
    """Run a program to a good end; return what it printed."""
    words = ["run", "-q", "-n", "2", *options, str(PROGRAMS / program), *args]
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("mode", [(), ("--seed", "4")], ids=["drawn", "given"])
def test_the_framework_draws_no_number(
    tmp_path: Path, nothing_left: None, mode: tuple[str, ...]
) -> None:
    args = ("seeded",) if mode else ()
    assert run(tmp_path, "untouched.py", *args, options=mode) == "ok\n"


def test_the_seed_can_be_asked_for(tmp_path: Path, nothing_left: None) -> None:
    run(tmp_path, "elsewhere.py")
    command = [*COMMAND, "status", "--json"]
    found = json.loads(
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    )
    (directory,) = find_runs(tmp_path)
    assert found["seed"] == directory.info().seed


def uses_of_random(path: Path) -> Iterator[str]:
    """Yield what a source uses of the module `random`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random":
            yield node.attr


def test_no_source_of_the_framework_draws_from_the_global_generator() -> None:
    sources = [
        path for name in ("scoop_ft", "journal") for path in (REPOSITORY / name).rglob("*.py")
    ]
    assert len(sources) > 50
    used = {str(path): set(uses_of_random(path)) for path in sources}
    assert set().union(*used.values()) >= {"Random", "seed"}, "it sees what is there"
    assert {path: found for path, found in used.items() if not found <= SHARED} == {}


def test_what_is_asked_for_while_the_script_is_imported_is_refused(
    tmp_path: Path, nothing_left: None
) -> None:
    words = ["run", "-q", "-n", "2", str(PROGRAMS / "top_level.py")]
    done = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 1
    assert "top_level.py calls scoop_ft.rng() while it is imported — call it in the" in done.stderr


def test_threads_and_forks_get_no_surprise(tmp_path: Path, nothing_left: None) -> None:
    once, again = (run(tmp_path, "elsewhere.py", options=("--seed", "9")) for _ in range(2))
    assert once == again


def test_plain_python_gives_the_numbers_of_seed_0(tmp_path: Path, nothing_left: None) -> None:
    program = REPOSITORY / "docs" / "examples" / "monte_carlo_pi.py"
    args = ("--tasks", "20", "--darts", "1000")
    done = subprocess.run(
        [sys.executable, str(program), *args],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert run(tmp_path, str(program), *args, options=("--seed", "0")) == done.stdout
    assert run(tmp_path, str(program), *args, options=("--seed", "1")) != done.stdout
