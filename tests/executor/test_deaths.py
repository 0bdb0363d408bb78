"""Deaths under an executor: of workers, broker, keeper, and of the program itself."""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND

from scoop_ft import Executor
from scoop_ft.errors import RunError, TaskLost

from ..waiting import eventually
from . import calls
from .conftest import LIMIT_S, Program, kill, live, wait_until


@pytest.fixture
def own(tmp_path: Path, nothing_left: None) -> Iterator[Executor]:
    executor = Executor(max_workers=2, run_dir=tmp_path / "run")
    yield executor
    executor.shutdown(cancel_futures=True)


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
    _wait_gone([there.launcher.pid, there.broker.pid, *(w.pid for w in there.workers)])
    (program.folder / "go").touch()
    out, err, code = program.run()
    assert (out, code) == (f"{sum(x * x for x in range(30))}\n", 0), err
    assert [calls.noted(program.folder, x) for x in range(10)] == [1] * 10


def done(run_dir: Path) -> int:
    """Return how many tasks the journal of a living run holds as done."""
    said = subprocess.run(
        [*COMMAND, "status", "--json", str(run_dir)], capture_output=True, text=True, check=True
    )
    return int(json.loads(said.stdout)["tasks"].get("done", 0))


def _wait_gone(pids: list[int]) -> None:
    def living() -> list[int]:
        return [p for p in pids if Path(f"/proc/{p}").exists() and "Z" not in _state(p)]

    eventually(lambda: not living(), living, within_s=10.0)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize("made", ["Executor", "Pool"])
def test_ctrl_c_leaves_at_once_and_says_how_to_go_on(program: Program, made: str) -> None:
    program.write(f"""
import time
from scoop_ft import {made}

def slow(x):
    open(f"began-{{x}}", "w").close()
    time.sleep(1000)

if __name__ == "__main__":
    with {made}(2, run_dir="run") as executor:
        list(executor.map(slow, range(5)))
""")
    process = program.start()
    wait_until(program.folder / "began-1")
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _out, err = process.communicate(timeout=LIMIT_S)
    assert time.monotonic() - began < 20
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    assert f"open it again with {made}(run_dir=" in err


@pytest.mark.parametrize(
    ("made", "calls_all"),
    [
        ("Executor", "list(it.map(call, range(5)))"),
        ("Executor", "[f.result() for f in [it.submit(call, x) for x in range(5)]]"),
        ("Executor", "[it.submit(call, x) for x in range(5)]"),
        ("Pool", "it.map_async(call, range(5)).get()"),
    ],
)
def test_ctrl_c_without_with_is_the_same(program: Program, made: str, calls_all: str) -> None:
    program.write(f"""
import atexit, sys, time
from scoop_ft import {made}

atexit.register(eval, "1", dict())  # as an import may: Python forgets what it ends with

def call(x):
    open(f"began-{{x}}", "a").write("x")
    if x and sys.argv[1:]:
        time.sleep(15)

if __name__ == "__main__":
    it = {made}(1, run_dir="run")
    {calls_all}
""")
    process = program.start("program.py", "slow")
    wait_until(program.folder / "began-1")
    eventually(lambda: done(program.run_dir) == 1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _out, err = process.communicate(timeout=LIMIT_S)
    assert time.monotonic() - began < 10
    assert process.returncode == -signal.SIGINT, err
    assert err.count(f"kept in run: open it again with {made}(run_dir=") == 1, err
    assert program.run() == ("", "", 0)
    assert (program.folder / "began-0").read_text() == "x"
    assert (program.folder / "began-1").read_text() == "xx"


@pytest.mark.parametrize("signal_it", [False, True], ids=["ends", "SIGTERM"])
def test_a_program_that_never_shuts_down(program: Program, signal_it: bool) -> None:
    program.write("""
import sys, time
from pathlib import Path
from scoop_ft import Executor

def apple():
    time.sleep(0.3)
    Path("apple").touch()

if __name__ == "__main__":
    executor = Executor(max_workers=1, run_dir="run")
    future = executor.submit(apple)
    if sys.argv[1:]:
        future.result()
        Path("up").touch()
        time.sleep(1000)
""")
    if signal_it:
        process = program.start("program.py", "wait")
        wait_until(program.folder / "up")
        there = live(program.run_dir)
        process.terminate()
        process.communicate(timeout=LIMIT_S)
        assert there.broker is not None
        _wait_gone([there.launcher.pid, there.broker.pid, *(w.pid for w in there.workers)])
    else:
        out, err, code = program.run()
        assert (out, err, code) == ("", "", 0)
    assert (program.folder / "apple").exists()


@pytest.mark.parametrize("how", ["del executor", "executor.shutdown(wait=False)"])
def test_what_was_submitted_is_done_though_nobody_waits(program: Program, how: str) -> None:
    program.write(f"""
import time
from scoop_ft import Executor

def apple():
    time.sleep(0.3)
    open("apple", "w").close()

if __name__ == "__main__":
    executor = Executor(max_workers=1, run_dir="run")
    executor.submit(apple)
    {how}
""")
    assert program.run() == ("", "", 0)
    assert (program.folder / "apple").exists()


def test_submitting_while_python_ends(program: Program) -> None:
    program.write("""
import atexit

@atexit.register
def last():
    try:
        executor.submit(abs, 1)
    except RuntimeError as error:
        print(error)

from scoop_ft import Executor
executor = Executor(max_workers=1, run_dir="run")
print(executor.submit(abs, -1).result())
""")
    out, err, code = program.run()
    assert (out, err, code) == (
        "1\ncannot schedule new futures after interpreter shutdown\n", "", 0,
    )  # fmt: skip


def test_a_forked_child_is_no_part_of_it(program: Program) -> None:
    program.write("""
import multiprocessing, os, time
from scoop_ft import Executor

def child(executor):
    try:
        executor.submit(abs, 1)
    except RuntimeError as error:
        print(error, flush=True)
    with Executor(max_workers=1) as own:
        print(own.submit(abs, -5).result(), flush=True)
    time.sleep(1000 if os.environ.get("STAY") else 0)

if __name__ == "__main__":
    with Executor(max_workers=1, run_dir="run") as executor:
        print(executor.submit(abs, -1).result(), flush=True)
        process = multiprocessing.get_context("fork").Process(target=child, args=(executor,))
        process.start()
        process.join()
        print(process.exitcode, executor.submit(abs, -2).result())
""")
    out, err, code = program.run()
    assert out.splitlines() == [
        "1",
        "this process was forked from the one that made the Executor: make one of its own",
        "5",
        "0 2",
    ], err
    assert code == 0


def test_a_forked_child_keeps_nothing_alive(program: Program) -> None:
    program.write("""
import multiprocessing, os, time
from pathlib import Path
from scoop_ft import Executor

def child():
    Path("child").write_text(str(os.getpid()))
    time.sleep(1000)

if __name__ == "__main__":
    executor = Executor(max_workers=1, run_dir="run")
    executor.submit(abs, -1).result()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    time.sleep(1000)
""")
    process = program.start()
    wait_until(program.folder / "child")
    there = live(program.run_dir)
    assert there.broker is not None
    process.kill()
    process.wait()
    try:
        _wait_gone([there.launcher.pid, there.broker.pid, *(w.pid for w in there.workers)])
    finally:
        kill(int(eventually((program.folder / "child").read_text)))


def test_a_script_that_makes_it_outside_of_its_guard(program: Program) -> None:
    program.write("""
from scoop_ft import Executor

def f(x):
    return x

executor = Executor(max_workers=1, run_dir="run")
if __name__ == "__main__":
    try:
        executor.submit(f, 1).result()
    except Exception as error:
        print(type(error).__name__, error)
""")
    out, err, _code = program.run()
    assert out.startswith("MissingMainGuard program.py makes an Executor outside of"), (out, err)
    assert len(out.splitlines()) == 1


def test_a_program_on_standard_input(program: Program) -> None:
    """As in a notebook: there is no file that a worker could import."""
    process = program.start("-c", """
from scoop_ft import Executor
class Point:
    def __init__(self, x): self.x = x
def move(point, by): return Point(point.x + by)
scale = 2
def scaled(x): return x * scale
executor = Executor(max_workers=1, run_dir="run")
moved = executor.submit(move, Point(1), 4).result()
print(type(moved) is Point, moved.x, executor.submit(scaled, 4).result())
scale = 3
print(executor.submit(scaled, 4).result())
executor.shutdown()
""")  # fmt: skip
    out, err = process.communicate(timeout=LIMIT_S)
    assert out == "True 5 8\n12\n", err


# ---- functions that were edited ------------------------------------------------------------------

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


# ---- the initializer -----------------------------------------------------------------------------


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


# ---- its run directory in the hands of `scoop-ft` ------------------------------------------------


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
