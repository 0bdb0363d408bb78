"""An executor that is opened again on its run directory: what is found there, and what is not."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scoop_ft import Executor
from scoop_ft.errors import RunError

from . import calls
from .conftest import LIMIT_S, Program


def test_opened_again_it_reuses_what_is_done(tmp_path: Path, nothing_left: None) -> None:
    folder = str(tmp_path)
    for _ in range(2):
        with Executor(max_workers=2, run_dir=tmp_path / "run") as executor:
            futures = [executor.submit(calls.note, folder, n) for n in range(20)]
            mapped = executor.map(calls.note, itertools.repeat(folder), range(20, 40))
            assert [f.result(LIMIT_S) for f in futures] + list(mapped) == [n * n for n in range(40)]
    assert [calls.noted(tmp_path, n) for n in range(40)] == [1] * 40


def test_another_order_is_found_by_content(tmp_path: Path, nothing_left: None) -> None:
    folder = str(tmp_path)
    for order in (range(20), reversed(range(25))):
        with Executor(max_workers=2, run_dir=tmp_path / "run") as executor:
            futures = {n: executor.submit(calls.note, folder, n) for n in order}
            assert all(future.result(LIMIT_S) == n * n for n, future in futures.items())
    assert [calls.noted(tmp_path, n) for n in range(25)] == [1] * 25


def test_what_failed_is_tried_again(tmp_path: Path, nothing_left: None) -> None:
    with Executor(max_workers=1, run_dir=tmp_path / "run") as executor:
        assert executor.submit(os.stat, str(tmp_path / "later")).exception(LIMIT_S) is not None
    (tmp_path / "later").touch()
    with Executor(max_workers=1, run_dir=tmp_path / "run") as executor:
        assert executor.submit(os.stat, str(tmp_path / "later")).exception(LIMIT_S) is None


def test_what_was_cancelled_is_computed_when_it_is_asked_for_again(
    tmp_path: Path, nothing_left: None
) -> None:
    go = str(tmp_path / "go")
    with Executor(max_workers=1, run_dir=tmp_path / "run") as executor:
        busy = executor.submit(calls.wait_for, go)
        late = executor.submit(calls.square, 4)
        assert late.cancel()
        (tmp_path / "go").touch()
        busy.result(LIMIT_S)
    with Executor(max_workers=1, run_dir=tmp_path / "run") as executor:
        assert executor.submit(calls.wait_for, go).result(LIMIT_S) == go
        assert executor.submit(calls.square, 4).result(LIMIT_S) == 16


def test_one_at_a_time(own: Executor, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is open in this program already: .* shut it down first"):
        Executor(run_dir=tmp_path / "run")
    code = f"from scoop_ft import Executor; Executor(run_dir={str(tmp_path / 'run')!r})"
    other = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert "is running already (launcher " in other.stderr
    assert other.stderr.endswith("): wait for its end, or stop it first\n")
    own.shutdown()
    Executor(run_dir=tmp_path / "run").shutdown()


EDITED = """
import sys
from scoop_ft import Executor
from scoop_ft.errors import RunError

def grow(x):
    return x + {more}

if __name__ == "__main__":
    try:
        with Executor(1, run_dir="run", edited=sys.argv[1] if sys.argv[1:] else None) as executor:
            print(list(executor.map(grow, range(3))))
    except RunError as error:
        print(error)
"""


def test_functions_that_were_edited(program: Program) -> None:
    program.write(EDITED.format(more=1))
    assert program.run()[0] == "[1, 2, 3]\n"
    program.write(EDITED.format(more=10))
    out, err, _ = program.run()
    assert out == (
        'what program.grow had computed may be stale: open it with edited="redo" to compute them '
        'again, or with edited="keep" to keep them\n'
    )
    assert "grow was edited (3 results)" in err
    shutil.copytree(program.run_dir, program.folder / "copy")
    assert program.run("program.py", "keep")[0] == "[1, 2, 3]\n"
    shutil.rmtree(program.run_dir)
    shutil.move(program.folder / "copy", program.run_dir)
    assert program.run("program.py", "redo")[0] == "[10, 11, 12]\n"


SETS = """
from scoop_ft import Executor

WORDS = {"a", "the", "of"}
TABLES = {"short": [{"x", "y", "z"}], "long": frozenset(["p", "q", "r"])}

class Known:
    names = {"one", "two", "three"}

def make(words):
    def count(x, also=frozenset(["d", "e", "f"])):
        open("ran", "a").write("x")
        tables = (TABLES["long"], *TABLES["short"])
        return x + sum(map(len, (WORDS, *tables, Known.names, also, words)))
    return count

with Executor(1, run_dir="run") as executor:
    print(executor.submit(make({"u", "v", "w"}), 1).result())
"""


def test_the_order_of_sets_makes_no_other_function(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another one in each process of a program that somebody else has started."""
    program.write(SETS)
    for seed in ("1", "2", "3"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        out, err, _ = program.run()
        assert out == "19\n", err
    assert (program.folder / "ran").read_text() == "x"
    program.write(SETS.replace('"z"}', '"zz"}'))
    assert program.run()[0] == "19\n"
    assert (program.folder / "ran").read_text() == "xx"
