"""The initializer of an executor: on each worker, on its replacement, and when it fails."""

from __future__ import annotations

import concurrent.futures
import os
from pathlib import Path

import pytest

from scoop_ft import Executor

from . import calls
from .conftest import LIMIT_S, Program, kill, live


def test_the_initializer_runs_on_each_worker_and_its_replacement(
    tmp_path: Path, nothing_left: None
) -> None:
    with Executor(
        2, run_dir=tmp_path / "run", initializer=calls.set_state, initargs=(str(tmp_path), 40)
    ) as executor:
        assert [f.result(LIMIT_S) for f in [executor.submit(calls.get_state)] * 3] == [40] * 3
        assert list(executor.map(calls.get_state, range(50))) == list(range(40, 90))
        for worker in live(tmp_path / "run").workers:
            kill(worker.pid)
        assert list(executor.map(calls.get_state, range(60))) == list(range(40, 100))
        pids = {executor.submit(os.getpid).result(LIMIT_S)}
        assert all((tmp_path / f"init-{pid}").exists() for pid in pids)
    assert len(list(tmp_path.glob("init-*"))) >= 2


def test_what_the_initializer_sets_in_context_variables_holds_for_tasks_of_tasks(
    tmp_path: Path, nothing_left: None
) -> None:
    with Executor(1, initializer=calls.set_digits, initargs=(50,)) as executor:
        assert executor.submit(calls.digits_below, 3).result(LIMIT_S) == [50] * 4


def test_the_folder_that_the_initializer_has_chosen_is_that_of_tasks_of_tasks(
    tmp_path: Path, nothing_left: None
) -> None:
    """Also of those that run while the task waits that has called it."""
    with Executor(1, initializer=os.chdir, initargs=(str(tmp_path),)) as executor:
        for _ in range(2):
            found = executor.submit(calls.folders_below, 3).result(LIMIT_S)
            assert found == [str(tmp_path)] * 4


def test_an_initializer_that_fails(
    tmp_path: Path, nothing_left: None, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = Executor(2, run_dir=tmp_path / "run", initializer=calls.broken_initializer)
    futures = [executor.submit(calls.square, n) for n in range(20)]
    for future in futures:
        with pytest.raises(RuntimeError, match="no such telescope"):
            future.result(LIMIT_S)
    with pytest.raises(concurrent.futures.BrokenExecutor, match="no such telescope"):
        executor.submit(calls.square, 1)
    executor.shutdown()
    said = capfd.readouterr().err
    assert said.count("the initializer failed") == 1
    with Executor(2, run_dir=tmp_path / "run", initializer=calls.broken_initializer) as again:
        with pytest.raises(RuntimeError, match="no such telescope") as caught:
            list(again.map(calls.square, range(5)))
        assert "in broken_initializer" in str(caught.value.__cause__)


SETS = """
from scoop_ft import Executor

state, filled = None, {}

def initialize(value):
    global state, new
    state = new = value
    filled["value"] = value

def read(x):
    return [state, new, filled["value"], x]

class Reader:
    def read(self, x):
        return read(x)

def ask(reader, x):
    return reader.read(x)

"""
ASKS = """
with Executor(1, initializer=initialize, initargs=(7,)) as executor:
    readers = [Reader(), Reader()]
    print(list(executor.map(ask, readers, range(2))))
    state = 8
    print(executor.submit(lambda: read(2)).result(), executor.submit(readers[0].read, 3).result())
"""


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__':"], ids=["unguarded", "guarded"])
def test_what_the_initializer_sets_is_there_for_all_functions_of_its_module(
    program: Program, guard: str
) -> None:
    """Also for those that travel by value, the first ones and later ones."""
    asks = "".join(f"    {line}\n" for line in ASKS.splitlines()) if guard else ASKS
    program.write(f"{SETS}{guard}{asks}")
    out, err, _ = program.run()
    assert out == "[[7, 7, 7, 0], [7, 7, 7, 1]]\n[7, 7, 7, 2] [7, 7, 7, 3]\n", err
