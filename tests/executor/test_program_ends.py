"""How programs with an executor end: Ctrl-C, no shutdown, forks, no main guard, no file."""

from __future__ import annotations

import signal
import time

import pytest

from ..waiting import eventually
from .conftest import LIMIT_S, Program, done, kill, live, wait_gone, wait_until


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


def test_ctrl_c_while_its_keeper_starts_shows_nothing_of_that(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(program.folder))
    (program.folder / "sitecustomize.py").write_text("""
import sys, time
if "scoop_ft.launch.keeper" in sys.orig_argv:
    open("keeper-begins", "w").close()
    time.sleep(1.5)
""")
    program.write("""
import time
from scoop_ft import Executor

if __name__ == "__main__":
    with Executor(1, run_dir="run") as executor:
        time.sleep(1000)
""")
    process = program.start()
    wait_until(program.folder / "keeper-begins")
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _out, err = process.communicate(timeout=LIMIT_S)
    assert time.monotonic() - began < 10
    assert err.count("KeyboardInterrupt") == 1, err
    assert err.count("Traceback") == 1, err


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
        wait_gone([there.launcher.pid, there.broker.pid, *(w.pid for w in there.workers)])
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
        wait_gone([there.launcher.pid, there.broker.pid, *(w.pid for w in there.workers)])
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
