"""`Executor(address=...)`: programs that join a run which others keep."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND

from scoop_ft import Executor
from scoop_ft.errors import RunError
from scoop_ft.executor import joined

from ..waiting import eventually
from . import calls
from .conftest import LIMIT_S, Program, live


@contextmanager
def serving(program: Program, *words: str) -> Iterator[Path]:
    """``scoop-ft serve WORDS run``, meanwhile."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "-n", "2", *words, "run"],
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    live(program.run_dir)
    try:
        yield program.run_dir
    finally:
        process.terminate()
        process.wait(LIMIT_S)


@pytest.fixture
def served(program: Program) -> Iterator[Path]:
    """A run that waits for programs."""
    with serving(program) as run_dir:
        yield run_dir


JOINS = """
from scoop_ft import Executor
import helper

def note(x):
    with open(f"ran-{x}", "a") as file:
        file.write("x")
    return helper.double(x)

with Executor(address="run") as executor:
    print([f.result() for f in [executor.submit(note, x) for x in range(10)]])
"""


def test_programs_come_and_go(program: Program, served: Path) -> None:
    said = subprocess.run([*COMMAND, "status", str(served)], capture_output=True, text=True)
    assert "waiting: no program has joined" in said.stdout
    program.write("def double(x):\n    return 2 * x\n", "helper.py")
    program.write(JOINS)
    for _ in range(2):
        out, err, code = program.run()
        assert (out, code) == (f"{[2 * x for x in range(10)]}\n", 0), err
    assert [calls.noted(program.folder, x) for x in range(10)] == [1] * 10


LEAVES = """
import time
from pathlib import Path
from scoop_ft import Pool

def hang(x):
    Path(f"hangs-{x}").touch()
    time.sleep(1000)

with Pool(address="run") as pool:
    pool.map_async(hang, range(4))
    while len(list(Path(".").glob("hangs-*"))) < 2:
        time.sleep(0.05)
"""


def test_what_a_pool_has_left_does_not_hold_the_next_program(
    program: Program, served: Path
) -> None:
    program.write(LEAVES)
    out, err, code = program.run()
    assert code == 0, err
    program.write("def double(x):\n    return 2 * x\n", "helper.py")
    program.write(JOINS)
    out, err, code = program.run()
    assert (out, code) == (f"{[2 * x for x in range(10)]}\n", 0), err


GIVES_UP = """
import glob, os, sys, time
from scoop_ft import Executor

def wait_for(name):
    open(f"begun-{os.getpid()}", "w").close()
    while not os.path.exists(name):
        time.sleep(0.05)
    return name

with Executor(address="run") as executor:
    calls = [executor.submit(wait_for, "go") for _ in range(2)]
    if sys.argv[1:]:
        while len(glob.glob("begun-*")) < 2:  # one worker may have both at first
            time.sleep(0.05)
        assert all(call.cancel(subtree=True) for call in calls)
    else:
        print([call.result() for call in calls])
"""


def test_what_was_given_up_and_is_asked_for_again_does_not_fail(
    program: Program, served: Path
) -> None:
    program.write(GIVES_UP)
    out, err, code = program.run("program.py", "gives-up")
    assert code == 0, err
    before = {int(path.name.partition("-")[2]) for path in program.folder.glob("begun-*")}
    assert len(before) == 2
    again = program.start("program.py")
    eventually(lambda: before.isdisjoint(worker.pid for worker in live(served).workers))
    (program.folder / "go").touch()
    out, err = again.communicate(timeout=LIMIT_S)
    assert (out, again.returncode) == ("['go', 'go']\n", 0), err


LATE = """
import sys
from pathlib import Path
from scoop_ft import Executor

with Executor(address="run") as executor:
    print(executor.submit(abs, -1).result())
    Path("elsewhere").mkdir()
    Path("elsewhere/late.py").write_text("def triple(x): return 3 * x\\n")
    sys.path.insert(0, "elsewhere")
    import late
    print(executor.submit(late.triple, 5).result(), list(executor.map(late.triple, [1, 2])))
"""


def test_modules_that_are_imported_later_travel(program: Program, served: Path) -> None:
    program.write(LATE)
    out, err, code = program.run()
    assert (out, code) == ("1\n15 [3, 6]\n", 0), err


GPU = """
from scoop_ft import Executor, options

def square(x):
    return x * x

if __name__ == "__main__":
    with Executor(1, run_dir="run") as executor:
        print(executor.submit(options(square, resources={"gpu": 1}), 3).result())
"""


def _serves_it(program: Program, where: str, *more: str) -> None:
    """A worker that has what the run's own have not; it was started by another name of Python."""
    names = sorted(Path(sys.prefix, "bin").glob("python3*"))
    other = next(str(p) for p in names if str(p) != sys.executable and "config" not in p.name)
    process = program.start()
    live(program.run_dir)
    worker = subprocess.Popen(
        [other, *COMMAND[1:], "worker", where, "-n", "1", "--resources", "gpu=1", *more],
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    finally:
        worker.terminate()
        worker.wait(LIMIT_S)
    assert (out, process.returncode) == ("9\n", 0), err


def test_workers_join_the_run_of_an_executor(program: Program) -> None:
    program.write(GPU)
    _serves_it(program, "run")


def test_workers_of_other_machines_join_a_run_that_is_served(program: Program) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
    words = ["serve", "-n", "1", "--listen", address, "run"]
    serving = subprocess.Popen([*COMMAND, *words], cwd=program.folder, stderr=subprocess.DEVNULL)
    try:
        live(program.run_dir)
        program.write(GPU.replace('1, run_dir="run"', 'address="run"'))
        _serves_it(program, address, "--keys", str(program.run_dir / "keys"))
    finally:
        serving.terminate()
        serving.wait(LIMIT_S)


def test_one_root_at_a_time(served: Path) -> None:
    with Executor(address=str(served)) as first:
        assert first.submit(calls.square, 3).result(LIMIT_S) == 9
        began = time.monotonic()
        with pytest.raises(RunError, match=r"has a root already .* one program at a time"):
            Executor(address=str(served))
        assert time.monotonic() - began < 10
        assert first.submit(calls.square, 4).result(LIMIT_S) == 16
    with Executor(address=(served / "endpoint").read_text()) as second:
        assert second.submit(calls.square, 5).result(LIMIT_S) == 25


def test_a_run_that_has_its_program(tmp_path: Path, nothing_left: None) -> None:
    with Executor(1, run_dir=tmp_path / "run") as executor:
        assert executor.submit(calls.square, 3).result(LIMIT_S) == 9
        with pytest.raises(RunError, match="has a root already"):
            Executor(address=str(tmp_path / "run"))
        assert executor.submit(calls.square, 4).result(LIMIT_S) == 16


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run"):
        Executor(address=str(tmp_path / "none"))
    with pytest.raises(RunError, match="needs keys=DIR"):
        Executor(address="tcp://127.0.0.1:9")


def test_a_run_that_nobody_serves(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was served, and is no more: what starts it is said."""
    with serving(program):
        pass
    monkeypatch.setattr(joined, "WELCOME_S", 1.0)
    with pytest.raises(RunError, match=r"nobody serves the run .*: start it with 'scoop-ft serve "):
        Executor(address=str(program.run_dir))


def test_resume_says_how_such_a_run_is_opened(tmp_path: Path, nothing_left: None) -> None:
    with Executor(1, run_dir=tmp_path / "run") as executor:
        executor.submit(calls.square, 3).result(LIMIT_S)
    for words in (["resume", str(tmp_path / "run"), "--", "x"], ["status", str(tmp_path / "run")]):
        done = subprocess.run(
            [sys.executable, "-m", "scoop_ft", *words], capture_output=True, text=True, check=False
        )
        if words[0] == "resume":
            assert done.returncode == 2
            assert "Executor(run_dir=" in done.stderr
        else:
            assert done.returncode == 0, done.stderr


def test_a_served_run_need_not_be_synced(program: Program) -> None:
    for words, there in (["none"], True), ([], True), (["synced"], False):
        option = ["--durability"] * len(words)
        with (
            serving(program, *option, *words) as run_dir,
            Executor(address=str(run_dir)) as executor,
        ):
            assert executor.submit(calls.square, 3).result(LIMIT_S) == 9
            assert (run_dir / "journal" / "unsynced").exists() is there


def test_a_broker_that_is_away_is_told_of_and_waited_for(
    program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(program) as run_dir:
        executor = Executor(address=str(run_dir))
        assert executor.submit(calls.square, 3).result(LIMIT_S) == 9
    waiting = executor.submit(calls.square, 4)
    said = ""
    deadline = time.monotonic() + LIMIT_S
    while "no broker answers at" not in said:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        said += capfd.readouterr().err
    with serving(program):
        assert waiting.result(LIMIT_S) == 16
        executor.shutdown()
    said += capfd.readouterr().err
    assert said.count("all waits until it is served again") == 1
    assert said.count("is there again") == 1


EDITED = """
from scoop_ft import Executor
import helper

with Executor(address="run") as executor:
    print([executor.submit(helper.times, x).result() for x in range(3)])
"""


def test_nothing_stale_is_served_to_a_program_whose_module_was_edited(
    program: Program, served: Path
) -> None:
    program.write(EDITED)
    for factor in (2, 2, 3, 3):
        text = f"def times(x):\n    open(f'ran-{{x}}', 'a').write('x')\n    return {factor} * x\n"
        program.write(text, "helper.py")
        out, err, code = program.run()
        assert (out, code) == (f"{[factor * x for x in range(3)]}\n", 0), err
    assert [calls.noted(program.folder, x) for x in range(3)] == [2] * 3, "each version once"
