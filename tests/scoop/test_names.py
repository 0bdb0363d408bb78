"""``import scoop`` in real runs: the names, in each process, and what the calls do."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

from .conftest import Scooped, call, lines

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scoop.md"


def test_the_example_of_the_page(scooped: Scooped) -> None:
    found = re.search(r"<!-- scoop: (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert lines(scooped(found[2], name=found[1])) == ["792"]


NAMES = """
import scoop, os
from scoop import futures, shared, logger
import scoop.futures, scoop.shared
from scoop.futures import map as map_, submit

def seen(_):
    return (scoop.IS_ORIGIN, scoop.IS_RUNNING, scoop.SIZE, scoop.DEBUG, scoop.MAIN_MODULE,
            type(scoop.worker).__name__, scoop.worker.decode().endswith(str(os.getpid())),
            len(scoop.BROKER), scoop.CONFIGURATION["backend"])

if __name__ == "__main__":
    print(seen(0))
    for one in set(map_(seen, range(20))):
        print(one)
    assert logger is scoop.logger
    logger.warning("a warning")
    logger.info("not with -q")
"""


def test_names_in_the_script_and_in_workers(scooped: Scooped) -> None:
    done = scooped(NAMES)
    rest = "True, 2, False, 'script.py', 'bytes', True, 4, 'ZMQ')"
    assert lines(done) == [f"(True, {rest}", f"(False, {rest}"]
    shown = done.stderr.splitlines()
    assert len(shown) == 1
    assert re.search(r"script +\(\S+:\d+\) WARNING +a warning$", shown[0])


def test_debug_shows_more(scooped: Scooped) -> None:
    text = """
import scoop
if __name__ == "__main__":
    scoop.logger.debug("details")
    print(scoop.DEBUG)
"""
    done = scooped(text, options=("--debug",))
    assert lines(done) == ["True"]
    assert "details" in done.stderr


def test_an_installed_scoop_is_not_looked_at(scooped: Scooped, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "scoop"
    other.mkdir(parents=True)
    for name in ("__init__", "futures", "_control"):
        (other / f"{name}.py").write_text("raise RuntimeError('the other one')\n")
    text = """
from scoop import futures
import scoop.futures
def work(x):
    import scoop.shared
    try:
        import scoop._control
    except ImportError as error:
        return str(error)
if __name__ == "__main__":
    print(set(futures.map(work, range(4))))
"""
    done = scooped(text, environ={"PYTHONPATH": str(other.parent)})
    assert len(lines(done)) == 1
    assert "no counterpart" in done.stdout


def test_without_the_option_the_name_means_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "scoop.py").write_text("mine = 3\n")
    (tmp_path / "script.py").write_text("import scoop\nprint(scoop.mine)\n")
    # also in a run that a script made for SCOOP starts
    environ = {"SCOOP_FT_AS_SCOOP": '{"size":1,"main_module":"x","level":20}'}
    assert lines(call(tmp_path, "run", "-q", "script.py", environ=environ)) == ["3"]


@pytest.mark.skipif(find_spec("scoop") is not None, reason="scoop is installed")
def test_without_the_option_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("from scoop import futures\n")
    done = call(tmp_path, "run", "-q", "-n", "1", "script.py")
    assert done.returncode == 1
    assert "No module named 'scoop'" in done.stderr
    assert "scoop-ft run --scoop SCRIPT" in done.stderr


CALLS = """
import functools, operator, time, warnings
from scoop import futures, shared

def double(x): return 2 * x
def fails(x): raise ValueError(x)
def keywords(n, **kwargs): return n, sorted(kwargs.items())
def constant(_): return shared.getConst("f")(3), shared.getConst("g")(3), shared.getConst("n")
def once_loaded(_): return shared.getConst("n") is shared.getConst("n")
class Thing:
    def __init__(self, k): self.k = k
    def times(self, x): return self.k * x
def nest(n): return 1 if n == 0 else sum(futures.map(nest, [n - 1] * 2))

def raised(call):
    try:
        call()
    except Exception as error:
        return repr(error)
    return "nothing"

if __name__ == "__main__":
    print(futures.submit(nest, 5).result())
    print(list(futures.map(lambda x: x + 1, range(3))), list(futures.map(Thing(4).times, [1, 2])))
    print(futures.submit(keywords, 1, a=2, timeout=3).result())
    print(futures.mapScan(pow, operator.add, [1, 2, 3], [2, 2, 2]),
          futures.mapReduce(pow, operator.add, [1, 2, 3], [2, 2, 2]))
    print(sorted(futures.map_as_completed(double, range(4))))
    shared.setConst(f=double, g=lambda x: x * x, n=[1])
    print(futures.submit(constant, 0).result(), raised(lambda: shared.setConst(n=2)))
    print(futures.submit(once_loaded, 0).result(), shared.getConst("nobody", timeout=0.01))

    one = futures.submit(double, 21)
    one.add_done_callback(lambda future: setattr(future, "called", future.result()))
    print(len(one.callback), one.args, one.kargs, one.callable is double)
    done, not_done = futures.wait([one], timeout=-1)
    print(one.called, one.resultValue, one.exceptionValue, one.isDone, len(done), len(not_done))

    bad = futures.submit(fails, 1)
    print(raised(lambda: futures.wait([bad])), raised(lambda: list(futures.as_completed([bad]))))
    print(len(futures.wait([bad], timeout=20).done), raised(bad.result), bad.resultValue)
    print(raised(lambda: list(futures.map(fails, [1]))))
    slow = futures.submit(time.sleep, 3600)
    print(futures.wait([slow], timeout=0), raised(lambda: slow.result(timeout=0.01)).split("(")[0])
    futures.shutdown(wait=True)
"""


def test_calls(scooped: Scooped) -> None:
    done = scooped(CALLS)
    assert done.returncode == 0, done.stderr
    found = done.stdout.splitlines()
    assert found[:-1] == [
        "32",
        "[1, 2, 3] [4, 8]",
        "(1, [('a', 2), ('timeout', 3)])",
        "[1, 5, 14] 14",
        "[0, 2, 4, 6]",
        "(6, 9, [1]) TypeError(\"the constant 'n' is set already: constants do not change\")",
        "True None",
        "1 (21,) {} True",
        "42 42 None True 1 0",
        "ValueError(1) ValueError(1)",
        "1 ValueError(1) None",
        "ValueError(1)",
    ]
    assert found[-1].startswith("DoneAndNotDoneFutures(done=set(), not_done={")
    assert found[-1].endswith("TimeoutError")


def test_cancel(scooped: Scooped) -> None:
    text = """
import time
from scoop import futures
if __name__ == "__main__":
    many = [futures.submit(time.sleep, 3600) for _ in range(30)]
    one = futures.submit(abs, -1)
    print(one.cancel(), one.cancelled(), one.done())
    try:
        futures.wait([one])
    except futures.CancelledError:
        print("cancelled")
"""
    assert lines(scooped(text)) == ["True True True", "cancelled"]


def test_keywords_that_map_does_not_pass_on_are_named_once(scooped: Scooped) -> None:
    text = """
from scoop import futures
def f(x, size=1): return x * size
if __name__ == "__main__":
    print([list(futures.map(f, [1, 2], size=3)) for _ in range(2)])
"""
    done = scooped(text)
    assert lines(done) == ["[[1, 2], [1, 2]]"]
    assert done.stderr.count("does not pass size on to the function") == 1


# ---- scripts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call_", ["sum(futures.map(f, range(10)))", "futures.submit(f, 9).result()"]
)
def test_without_a_main_guard(scooped: Scooped, call_: str) -> None:
    """It runs once, in the script's process only; its functions go by value."""
    text = f"""
import os
from scoop import futures
scale = 2
class Number:
    def __init__(self, value): self.value = value
def twice(x): return Number(scale * x)
def f(x): return twice(x).value + (0 if x < 2 else next(futures.map(f, [0])))
print("result", {call_})
print(list(futures.map(lambda x: x + scale, [1])))
"""
    expected = 90 if "map" in call_ else 18
    assert lines(scooped(text)) == [f"result {expected}", "[3]"]


def test_map_outside_of_the_guard_is_done_in_each_process(scooped: Scooped) -> None:
    text = """
from scoop import futures
def f(x): return x * x
squares = list(futures.map(f, range(4)))
def g(x): return squares[x]
if __name__ == "__main__":
    print(list(futures.map(g, range(4))))
"""
    assert lines(scooped(text)) == ["[0, 1, 4, 9]"]


def test_submit_outside_of_the_guard_is_refused(scooped: Scooped) -> None:
    text = """
from scoop import futures
def f(x): return x * x
nine = futures.submit(f, 3).result()
if __name__ == "__main__":
    print(list(futures.map(f, range(4))))
"""
    done = scooped(text)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "outside of 'if __name__" in done.stderr


def test_modules_beside_the_script_and_in_the_folder_and_arguments(
    scooped: Scooped, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "beside.py").write_text("from scoop import futures\ndef f(x): return x\n")
    (tmp_path / "here.py").write_text("def g(x): return 10 * x\n")
    text = """
import sys
import beside, here
from scoop import futures
def h(x): return sys.argv[1:], here.g(beside.f(x))
if __name__ == "__main__":
    print(list(futures.map(here.g, futures.map(beside.f, range(3)))))
    print(futures.submit(h, 4).result())
"""
    done = scooped(text, "-n", "two words", name="code/script.py")
    assert lines(done) == ["[0, 10, 20]", "(['-n', 'two words'], 40)"]


def test_conditional_import_and_interactive_use(scooped: Scooped) -> None:
    text = """
try:
    from scoop.futures import map as map_
except ImportError:
    map_ = map
import code, scoop
from scoop import futures
if __name__ == "__main__":
    code.interact(local=locals())
"""
    typed = """
map_ is map
def f(x):
    import scoop
    return x, scoop.IS_ORIGIN

list(futures.map(f, range(2)))
class Thing:
    def m(self, x):
        return x + 1

list(map_(Thing().m, range(3)))
"""
    done = scooped(text, stdin=typed)
    found = [line.replace(">>> ", "").replace("... ", "") for line in lines(done)]
    assert [line for line in found if line] == ["False", "[(0, False), (1, False)]", "[1, 2, 3]"]


# ---- deaths -------------------------------------------------------------------------------------

LONG = """
import os, sys, time
import scoop
from scoop import futures, shared

def work(x):
    time.sleep(0.03)  # or a worker claims several at once, and those behind one that waits wait
    while x >= 5 and not os.path.exists("go"):
        time.sleep(0.01)
    return shared.getConst("scale") * x, scoop.SIZE, scoop.IS_ORIGIN, scoop.MAIN_MODULE

if __name__ == "__main__":
    shared.setConst(scale=3)
    per_worker = 10 // scoop.SIZE
    calls = [futures.submit(work, x) for x in range(2 * per_worker)]
    print(sum(f.result()[0] for f in calls), {f.result()[1:] for f in calls}, scoop.IS_ORIGIN)
"""
ANSWER = "135 {(2, False, 'script.py')} True\n"


@pytest.mark.parametrize("guard", ['__name__ == "__main__"', "True"])
def test_resume_goes_on_as_scoop(run_process: RunProcess, guard: str) -> None:
    (run_process.folder / "script.py").write_text(LONG.replace('__name__ == "__main__"', guard))
    run_process.start("--scoop", "-q", "-n", "2", "script.py")
    run_process.wait_for_tasks(5)
    run_process.kill_everything()
    run_process.resume("-n", "3")  # scoop.SIZE stays: the script divides its work by it
    (run_process.folder / "go").touch()
    assert run_process.finish() == ANSWER
    assert ": 5 done, " in run_process.errors
    assert "not found among those recorded" not in run_process.errors


@pytest.mark.parametrize("victim", ["root", "broker", "workers"])
def test_each_death(run_process: RunProcess, victim: str) -> None:
    (run_process.folder / "script.py").write_text(LONG)
    run_process.start("--scoop", "-q", "-n", "2", "script.py")
    run_process.wait_for_tasks(5)
    run_process.kill(victim)
    (run_process.folder / "go").touch()
    assert run_process.finish() == ANSWER


def test_workers_that_join_by_address(run_process: RunProcess) -> None:
    """Their agent knows of ``scoop`` from the broker only."""
    import socket
    import subprocess

    from scoop_ft.rundir import find_runs

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    (run_process.folder / "script.py").write_text(
        LONG.replace('"go")', '"go") and os.environ.get("JOINED") is None')
    )
    run_process.start("--scoop", "-q", "-n", "2", "--listen", address, "script.py")
    run_process.wait_for_tasks(5)
    keys = find_runs(run_process.folder)[-1].keys
    words = ["worker", address, "--keys", str(keys), "-n", "1", "--any-versions"]
    joined = subprocess.Popen(
        [sys.executable, "-m", "scoop_ft", *words],
        cwd=run_process.folder,
        env={**os.environ, "JOINED": "yes"},
    )
    try:
        # Two hang in the workers that cannot end them: it runs second copies of these, too.
        assert run_process.finish() == ANSWER
    finally:
        joined.terminate()
        joined.wait()


def test_edited_functions_are_noticed(run_process: RunProcess) -> None:
    """The process that compares functions imports the script, and so ``scoop``."""
    script = run_process.folder / "script.py"
    script.write_text(LONG)
    run_process.start("--scoop", "-q", "-n", "2", "script.py")
    run_process.wait_for_tasks(5)
    run_process.kill_everything()
    script.write_text(LONG.replace("* x,", "* x + 1,"))
    (run_process.folder / "go").touch()
    run_process.resume("-q", "--redo-changed")
    assert run_process.finish() == ANSWER.replace("135", "145")
