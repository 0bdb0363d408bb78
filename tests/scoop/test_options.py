"""The local part of SCOOP's command line: each option does what it says."""

from __future__ import annotations

import os
import pstats
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

from scoop_ft.rundir import find_runs

from .conftest import Done, Scooped, call, lines

SEEN = """
import os, sys
from scoop_ft import futures
def seen(_):
    import time
    time.sleep(0.02)
    return {what}
if __name__ == "__main__":
    print("root", seen(0))
    for one in set(futures.map(seen, range(8))):
        print("worker", one)
"""


def run(tmp_path: Path, what: str, *options: str) -> Done:
    """Run a script that prints an expression, in the root and in workers."""
    (tmp_path / "seen.py").write_text(SEEN.format(what=what))
    return call(tmp_path, "run", "-q", "-n", "2", *options, "seen.py")


def both(what: object) -> list[str]:
    return [f"root {what}", f"worker {what}"]


def test_nice(tmp_path: Path, nothing_left: None) -> None:
    there = os.nice(0) + 3
    assert lines(run(tmp_path, "os.nice(0)", "--nice", "3")) == both(min(there, 19))


def test_pythonpath(tmp_path: Path, nothing_left: None) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "mine.py").write_text("value = 7\n")
    what = "__import__('mine').value"
    assert lines(run(tmp_path, what, "--pythonpath", "library")) == both(7)


def test_python_interpreter(tmp_path: Path, nothing_left: None) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "other"], cwd=tmp_path, check=True
    )
    other = tmp_path / "other" / "bin" / "python"
    done = run(tmp_path, "sys.executable", "--python-interpreter", str(other))
    assert done.returncode == 2
    assert f"{other} has no scoop-ft: install version " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not find_runs(tmp_path)
    _lend_packages(tmp_path / "other")
    done = run(tmp_path, "sys.executable", "--python-interpreter", "other/bin/python")
    assert lines(done) == both(other)
    assert find_runs(tmp_path)[-1].info().python == str(other)


def test_the_recorded_interpreter_is_gone(tmp_path: Path, nothing_left: None) -> None:
    """Its environment was renamed: the user has not named it now, and hears what to name."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "other"], cwd=tmp_path, check=True
    )
    _lend_packages(tmp_path / "other")
    other = tmp_path / "other" / "bin" / "python"
    (tmp_path / "three.py").write_text("import sys\nprint(sys.executable)\nsys.exit(3)\n")
    words = ["run", "-q", "-n", "1", "--python-interpreter", str(other), "three.py"]
    assert call(tmp_path, *words).returncode == 3
    (tmp_path / "other").rename(tmp_path / "renamed")
    done = call(tmp_path, "resume", "-q")
    assert (done.returncode, done.stderr) == (
        2,
        f"scoop-ft: error: --python-interpreter: the run's interpreter {other} is gone: "
        "name another, or '' for this one\n",
    )
    done = call(tmp_path, "resume", "-q", "--python-interpreter", "")
    assert (done.returncode, done.stdout) == (3, f"{sys.executable}\n"), done.stderr


def _lend_packages(venv: Path) -> None:
    """Let an environment find what is installed in ours."""
    [site] = venv.glob("lib/python*/site-packages")
    packages = sysconfig.get_path("purelib")
    (site / "lent.pth").write_text(f"import site; site.addsitedir({packages!r})\n")


@pytest.mark.parametrize("how", ["file", "command"])
def test_prolog(tmp_path: Path, nothing_left: None, how: str) -> None:
    """What it leaves in the environment reaches root and workers; what it prints, the screen."""
    command = 'export MADE="by $PWD"; unset GONE; echo loading'
    prolog = tmp_path / "setup.sh"
    prolog.write_text(f"# for this site\n{command}\n")
    (tmp_path / "seen.py").write_text(
        SEEN.format(what="os.environ['MADE'], os.environ.get('GONE')")
    )
    words = ["run", "-q", "-n", "2", "--prolog", "setup.sh" if how == "file" else command]
    done = call(tmp_path, *words, "seen.py", environ={"GONE": "no"})
    assert lines(done) == both((f"by {tmp_path}", None))
    assert done.stderr == "loading\n"


def test_a_prolog_that_fails(tmp_path: Path, nothing_left: None) -> None:
    done = run(tmp_path, "1", "--prolog", "echo no licence >&2; false")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "no licence"
    assert "--prolog: echo no licence >&2; false ended with exit code 1" in done.stderr
    assert not find_runs(tmp_path)


def test_surroundings_are_there_after_resume(run_process: RunProcess) -> None:
    folder = run_process.folder
    (folder / "library").mkdir()
    (folder / "library" / "mine.py").write_text("value = 7\n")
    (folder / "script.py").write_text("""
import os, time, mine
from scoop_ft import futures
def work(x):
    while x >= 3 and not os.path.exists("go"):
        time.sleep(0.01)
    return mine.value, os.environ["MADE"], os.nice(0)
if __name__ == "__main__":
    print(set(futures.map(work, range(6))), work(0))
""")
    words = ["--pythonpath", "library", "--prolog", "export MADE=yes", "--nice", "2"]
    run_process.start("-q", "-n", "2", *words, "script.py")
    run_process.wait_for_tasks(3)
    run_process.kill_everything()
    run_process.resume("-q")
    (folder / "go").touch()
    one = (7, "yes", min(os.nice(0) + 2, 19))
    assert run_process.finish() == f"{ {one} } {one}\n"


def test_a_resume_may_have_other_surroundings(run_process: RunProcess) -> None:
    """Only what is said changes, and it stays so."""
    folder = run_process.folder
    (folder / "script.py").write_text("""
import os, time
from scoop_ft import futures
def work(x):
    while x >= 3 and not os.path.exists("go"):
        time.sleep(0.01)
    return os.environ["MADE"], os.nice(0)
if __name__ == "__main__":
    print(list(futures.map(work, range(6)))[3:])
""")
    words = ["--prolog", "export MADE=before", "--nice", "2"]
    run_process.start("-q", "-n", "2", *words, "script.py")
    run_process.wait_for_tasks(3)
    run_process.kill_everything()
    run_process.resume("-q", "--prolog", "export MADE=after", "--nice", "4")
    run_process.wait_until(lambda found: any(w.get("task") for w in found["workers"]))
    run_process.kill_everything()
    run_process.resume("-q", "--nice", "5")
    (folder / "go").touch()
    one = ("after", min(os.nice(0) + 5, 19))
    assert run_process.finish() == f"{[one] * 3}\n"


def test_profile(tmp_path: Path, nothing_left: None) -> None:
    """Each call is counted once, also of tasks that wait for others in between."""
    (tmp_path / "mine.py").write_text("""
from scoop_ft import futures
def leaf(x):
    return sum(range(1000 * x))
def after(n):
    return n
def node(n):
    return len(list(futures.map(leaf, range(n)))) + after(n)
def prepare():
    return 0
if __name__ == "__main__":
    prepare()
    print(sum(futures.map(node, [5] * 20)))
""")
    done = call(tmp_path, "run", "-n", "2", "--profile", "--run-dir", "here", "mine.py")
    assert lines(done) == ["200"]
    folder = tmp_path / "here" / "profile"
    assert f"profiles are in {folder}" in done.stderr
    calls: dict[tuple[str, str], int] = {}
    for path in folder.iterdir():
        role = path.name.partition("-")[0]
        found = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
        for (file, _, function), (_, count, *_) in found.items():
            if file.endswith("mine.py"):
                calls[role, function] = calls.get((role, function), 0) + count
    assert calls.pop(("worker", "<module>")) <= 2
    assert calls == {
        ("root", "<module>"): 1,
        ("root", "prepare"): 1,
        ("worker", "node"): 20,
        ("worker", "leaf"): 100,
        ("worker", "after"): 20,
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend", "TCP"), "--backend is pointless here: processes always speak ZeroMQ"),
        (("--rsh",), "--rsh is pointless here: other machines are reached by ssh"),
        (("-b", "2"), "-b is pointless here: a run has one broker"),
    ],
)
def test_what_is_pointless_says_so(scooped: Scooped, options: tuple[str, ...], said: str) -> None:
    done = scooped("print('ran')", options=options)
    assert lines(done) == ["ran"]
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_all_that_scoop_takes(scooped: Scooped) -> None:
    words = ["-vv", "--nice", "1", "--debug", "--profile", "--backend", "ZMQ", "-b", "1"]
    words += ["--pythonpath", ".", "--prolog", "true", "--python-interpreter"]
    done = scooped("import scoop; print(scoop.SIZE, scoop.DEBUG)", options=(*words, sys.executable))
    assert lines(done) == ["2 True"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--nice", "20"), "20 is not in the range"),
        (("--python-interpreter", "nonesuch"), "there is no program nonesuch"),
        (("--backend", "MPI"), "'MPI' is not one of"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = run(tmp_path, "1", *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr
