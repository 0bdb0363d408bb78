"""Deaths under an executor: of workers, broker, keeper, and of the program itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND

from scoop_ft import Executor
from scoop_ft.errors import TaskLost

from ..waiting import eventually
from . import calls
from .conftest import LIMIT_S, Program, done, kill, live, wait_gone, wait_until


def test_a_worker_that_dies_breaks_nothing(own: Executor, tmp_path: Path) -> None:
    folder = str(tmp_path)
    futures = [own.submit(calls.die_once, folder, n) for n in range(50)]
    assert [future.result(LIMIT_S) for future in futures] == list(range(50))
    assert (tmp_path / "died").exists()


def test_without_syncing_a_broker_may_die_and_nothing_is_computed_again(
    tmp_path: Path, nothing_left: None
) -> None:
    run_dir = tmp_path / "run"
    mark = run_dir / "journal" / "unsynced"
    with Executor(max_workers=2, run_dir=run_dir, durability="none") as executor:
        assert executor.submit(calls.note, str(tmp_path), 1).result(LIMIT_S) == 1
        assert mark.exists()
        broker = live(run_dir).broker
        assert broker is not None
        kill(broker.pid)
        assert executor.submit(calls.note, str(tmp_path), 2).result(LIMIT_S) == 4
    assert not mark.exists(), "all is synced at the end"
    with Executor(run_dir=run_dir) as executor:  # as before
        assert executor.submit(calls.note, str(tmp_path), 1).result(LIMIT_S) == 1
        assert mark.exists()
    assert calls.noted(tmp_path, 1) == calls.noted(tmp_path, 2) == 1


def test_a_call_that_kills_its_workers_fails_alone(own: Executor) -> None:
    bad = own.submit(calls.die_always)
    good = [own.submit(calls.square, n) for n in range(20)]
    assert [future.result(LIMIT_S) for future in good] == [n * n for n in range(20)]
    with pytest.raises(TaskLost, match="SIGKILL"):
        bad.result(LIMIT_S)
    assert own.submit(calls.square, 7).result(LIMIT_S) == 49


@pytest.mark.parametrize("who", ["worker", "broker", "keeper"])
def test_killed_from_outside(own: Executor, tmp_path: Path, who: str) -> None:
    futures = [own.submit(calls.pause, 0.02) for _ in range(100)]
    results = own.map(calls.square, range(500))
    futures[5].result(LIMIT_S)
    there = live(tmp_path / "run")
    assert there.broker is not None
    pid = {"worker": there.workers[0], "broker": there.broker, "keeper": there.launcher}[who].pid
    kill(pid)
    assert list(results) == [n * n for n in range(500)]
    assert [future.result(LIMIT_S) for future in futures] == [0.02] * 100
    assert own.submit(calls.square, 9).result(LIMIT_S) == 81


def test_the_keeper_may_be_killed_as_often_as_one_likes(
    own: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the weeks of a campaign; it counts only when nothing comes up in between."""
    monkeypatch.setattr("scoop_ft.executor.own.KEEPER_DEATHS", 2)
    for n in range(3):
        kill(live(tmp_path / "run").launcher.pid)
        assert own.submit(calls.square, n).result(LIMIT_S) == n * n


CAMPAIGN = """
import os, sys, time
from scoop_ft import Executor

def step(x):
    with open(f"ran-{x}", "a") as file:
        file.write("x")
    while x >= 10 and not os.path.exists("go"):
        time.sleep(0.01)
    return x * x

if __name__ == "__main__":
    with Executor(max_workers=2, run_dir="run") as executor:
        futures = [executor.submit(step, x) for x in range(30)]
        print(sum(f.result() for f in futures))
"""


@pytest.mark.parametrize("guard", [True, False], ids=["with a main guard", "without"])
def test_the_program_is_killed_and_started_again(program: Program, guard: bool) -> None:
    text = CAMPAIGN
    if not guard:
        text = text.replace('if __name__ == "__main__":', "if True:")
    program.write(text)
    first = program.start()
    wait_until(program.run_dir / "run.json")
    eventually(lambda: done(program.run_dir) >= 10)
    there = live(program.run_dir)
    first.kill()
    first.wait()
    assert there.broker is not None
    wait_gone([there.launcher.pid, there.broker.pid, *(w.pid for w in there.workers)])
    (program.folder / "go").touch()
    out, err, code = program.run()
    assert (out, code) == (f"{sum(x * x for x in range(30))}\n", 0), err
    assert [calls.noted(program.folder, x) for x in range(10)] == [1] * 10


def test_scoop_ft_resume_goes_on_with_it(program: Program) -> None:
    program.write(CAMPAIGN)
    first = program.start()
    wait_until(program.run_dir / "run.json")
    eventually(lambda: done(program.run_dir) >= 10)
    first.kill()
    first.wait()
    (program.folder / "go").touch()
    resumed = subprocess.run(
        [*COMMAND, "resume", "-q", str(program.run_dir)],
        cwd=program.folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert resumed.stdout == f"{sum(x * x for x in range(30))}\n", resumed.stderr
    assert [calls.noted(program.folder, x) for x in range(10)] == [1] * 10
    assert done(program.run_dir) == 30
