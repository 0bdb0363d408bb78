"""The Python and the packages of a run, and machines that have others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scoop_chaos.runs import LIMIT_S, RunProcess

from scoop_ft import environment
from scoop_ft.launch.versions import warning
from scoop_ft.wire.messages import Environment

from .conftest import Elsewhere, Gate

SCRIPT = """
import os, sys, time
import ft_thing
from scoop_ft import futures

def task(x):
    while x >= int(open(os.environ["FT_GATE"]).read()):
        time.sleep(0.01)
    return ft_thing.__version__

if __name__ == "__main__":
    print(*sorted(set(futures.map(task, range(int(sys.argv[1]))))))
"""


def install(folder: Path, version: str, environ: dict[str, str]) -> dict[str, str]:
    """Install a package whose module is called otherwise; return an environment that has it."""
    place = folder / version / "site-packages"
    info = place / f"ft_thing_dist-{version}.dist-info"
    info.mkdir(parents=True)
    (place / "ft_thing.py").write_text(f"__version__ = {version!r}\n")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: ft-thing-dist\nVersion: {version}\n"
    )
    (info / "RECORD").write_text("ft_thing.py,,\n")
    return {**environ, "PYTHONPATH": str(place)}


@pytest.fixture
def started(
    run_process: RunProcess, elsewhere: Elsewhere, tmp_path: Path, gate: Gate
) -> RunProcess:
    """A run that uses version 1.0 of a package, serves other machines, and is at the gate."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run_process.environ = install(elsewhere.home, "1.0", gate.environ)
    run_process.start("-n", "1", "--listen", elsewhere.address, script, "200")
    run_process.wait_for_tasks(20)
    return run_process


def two_workers(found: dict[str, Any]) -> bool:
    """Has the other one joined, and got a task?"""
    return [bool(worker.get("task")) for worker in found["workers"]] == [True, True]


def test_what_is_recorded(started: RunProcess) -> None:
    found = started.wait_until(lambda found: (found.get("environment") or {}).get("complete"))
    python = ".".join(map(str, sys.version_info[:3]))
    assert found["environment"]["python"] == python
    assert found["environment"]["packages"] == {"ft-thing-dist": "1.0"}
    started.kill_everything()
    assert started.status()["environment"] == found["environment"]


def test_a_machine_with_another_version_is_turned_away(
    started: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    elsewhere.worker(environ=install(elsewhere.home, "2.0", gate.environ))
    assert elsewhere.finish() == 2
    assert elsewhere.errors == (
        "scoop-ft: error: this machine has ft-thing-dist 2.0, the run uses 1.0: install the same, "
        "or start it with --any-versions\n"
    )
    found = started.wait_until(lambda found: found["turned_away"])
    (why,) = found["turned_away"].values()
    assert found["tasks"]["resubmitted"] == 0  # it has not begun one: it would stand at the gate
    assert why == "this machine has ft-thing-dist 2.0, the run uses 1.0"
    gate.open()
    assert started.finish() == "1.0\n"
    assert f"was turned away: {why}" in started.errors


def test_a_machine_without_it_is_turned_away(
    started: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    elsewhere.worker(environ=gate.environ)
    assert elsewhere.finish() == 2
    assert "this machine has no ft-thing-dist, the run uses 1.0" in elsewhere.errors


def test_it_may_join_all_the_same(started: RunProcess, elsewhere: Elsewhere, gate: Gate) -> None:
    elsewhere.worker("--any-versions", environ=install(elsewhere.home, "2.0", gate.environ))
    started.wait_until(two_workers)
    gate.open()
    assert started.finish() == "1.0 2.0\n"
    assert elsewhere.finish() == 0


def test_the_same_versions_join(started: RunProcess, elsewhere: Elsewhere, gate: Gate) -> None:
    elsewhere.worker(environ=install(elsewhere.home / "copy", "1.0", gate.environ))
    started.wait_until(two_workers)
    gate.open()
    assert started.finish() == "1.0\n"
    assert elsewhere.finish() == 0


def test_what_the_script_imports_later_is_compared_later(
    run_process: RunProcess, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, time\n"
        "from scoop_ft import futures\n"
        "def wait(x):\n"
        "    time.sleep(0.02)\n"
        "if __name__ == '__main__':\n"
        "    while not os.path.exists('go'):\n"
        "        list(futures.map(wait, range(10)))\n"
        "    import ft_thing\n"
        "    while not os.path.exists('end'):\n"
        "        list(futures.map(wait, range(10)))\n"
    )
    run_process.environ = install(elsewhere.home, "1.0", dict(os.environ))
    run_process.start("-q", "-n", "1", "--listen", elsewhere.address, script)
    run_process.wait_for_tasks(5)
    elsewhere.worker(environ=install(elsewhere.home, "2.0", dict(os.environ)))
    run_process.wait_until(lambda found: len(found["workers"]) == 2)
    (tmp_path / "go").touch()
    assert elsewhere.finish() == 2
    assert "this machine has ft-thing-dist 2.0, the run uses 1.0" in elsewhere.errors
    (tmp_path / "end").touch()
    run_process.finish()


LATER = SCRIPT.replace("import ft_thing\n", "").replace(
    "def task(x):\n", "def task(x):\n    import ft_thing\n"
)


def test_a_machine_without_what_only_tasks_import_leaves_and_fails_none(
    run_process: RunProcess, elsewhere: Elsewhere, tmp_path: Path, gate: Gate
) -> None:
    script = tmp_path / "script.py"
    script.write_text(LATER)
    run_process.environ = install(elsewhere.home, "1.0", gate.environ)
    run_process.start("-n", "1", "--listen", elsewhere.address, script, "200")
    found = run_process.wait_until(lambda found: (found.get("environment") or {}).get("named"))
    assert found["environment"]["named"] == ["ft_thing"]
    elsewhere.worker(environ=gate.environ)
    assert elsewhere.finish() == 2
    why = "this machine has no ft_thing, which the run's functions import"
    assert (
        f"scoop-ft: error: {why}: give it what is missing, and start this again" in elsewhere.errors
    )
    run_process.wait_until(lambda found: list(found["turned_away"].values()) == [why])
    gate.open()
    assert run_process.finish() == "1.0\n"


AT_ONCE = """
import os, sys, time
from scoop_ft import futures, options

@options(repeatable=False)
def once(x):
    return x

def lacks(x):
    time.sleep(0.02)
    import ft_thing
    return x

def made_by_hand(x):
    sys.modules["by_hand"] = type(sys)("by_hand")
    try:
        import by_hand.inside
    except ModuleNotFoundError as error:
        assert error.name == "by_hand.inside"
        raise

if __name__ == "__main__":
    while not os.path.exists("go"):
        time.sleep(0.02)
    results = futures.map(globals()[sys.argv[1]], range(int(sys.argv[2])), on_error="collect")
    print(*sorted({type(result).__name__ for result in results}))
"""


def both_there(run_process: RunProcess, elsewhere: Elsewhere, gate: Gate, *words: str) -> None:
    """Start a run, and a worker elsewhere without its package; then its calls."""
    run_process.environ = install(elsewhere.home, "1.0", gate.environ)
    run_process.start("-q", "-n", "1", "--listen", elsewhere.address, *words)
    run_process.wait_until(lambda found: len(found["workers"]) == 1)
    elsewhere.worker("--any-versions", environ=gate.environ)
    run_process.wait_until(lambda found: len(found["workers"]) == 2)
    Path(run_process.folder, "go").touch()


def test_a_lack_that_is_met_before_the_run_has_said_what_it_needs_fails_no_task(
    run_process: RunProcess, elsewhere: Elsewhere, tmp_path: Path, gate: Gate
) -> None:
    script = tmp_path / "script.py"
    script.write_text(AT_ONCE)
    both_there(run_process, elsewhere, gate, str(script), "lacks", "200")
    assert run_process.finish() == "int\n"
    assert elsewhere.finish() in (0, 2)  # the run may end before it is known


def test_a_module_that_a_task_makes_by_hand_ends_no_worker(
    run_process: RunProcess, elsewhere: Elsewhere, tmp_path: Path, gate: Gate
) -> None:
    script = tmp_path / "script.py"
    script.write_text(AT_ONCE)
    both_there(run_process, elsewhere, gate, str(script), "made_by_hand", "20")
    assert run_process.finish() == "ModuleNotFoundError\n"
    assert "started again" not in elsewhere.errors


def test_a_machine_that_cannot_import_the_script_has_begun_nothing(
    run_process: RunProcess, elsewhere: Elsewhere, tmp_path: Path, gate: Gate
) -> None:
    script = tmp_path / "script.py"
    script.write_text("import ft_thing\n" + AT_ONCE)
    both_there(run_process, elsewhere, gate, str(script), "once", "8")
    assert run_process.finish() == "int\n"
    assert elsewhere.finish() == 2


def test_a_resume_with_another_version_says_so_and_goes_on(
    started: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    started.wait_until(lambda found: (found.get("environment") or {}).get("complete"))
    started.kill_everything()
    started.environ = install(elsewhere.home, "2.0", gate.environ)
    gate.open()
    started.resume()
    assert started.finish() == "1.0 2.0\n"
    assert (
        "scoop-ft: warning: this machine has ft-thing-dist 2.0, the run uses 1.0: results from "
        "before and from now may differ" in started.errors
    )


def other_python() -> str | None:
    """Find a Python of another minor version, with what it takes to make an environment of it."""
    here = f"python3.{sys.version_info.minor}"
    names = [f"python3.{minor}" for minor in (10, 11, 12, 13)]
    folders = [*Path.home().glob(".pyenv/versions/*/bin"), *os.get_exec_path()]
    found = [
        shutil.which(name, path=str(folder)) for name in names for folder in folders if name != here
    ]
    return next(filter(None, found), None)


@pytest.mark.long
def test_another_python_is_turned_away(
    run_process: RunProcess,
    elsewhere: Elsewhere,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    gate: Gate,
) -> None:
    """A real one, with scoop-ft installed for it."""
    python = other_python()
    if python is None:
        pytest.skip("there is one Python only on this machine")
    there = tmp_path_factory.mktemp("python")
    subprocess.run([python, "-m", "venv", str(there)], check=True, timeout=LIMIT_S)
    source = tmp_path_factory.mktemp("source") / "scoop-ft"
    unbuilt = shutil.ignore_patterns(".*", "build", "*.egg-info")
    shutil.copytree(Path(environment.__file__).parents[1], source, ignore=unbuilt)
    made = subprocess.run(
        [there / "bin" / "pip", "install", "-q", str(source)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"scoop-ft cannot be installed for {python} here: {made.stderr[-200:]}")
    script = tmp_path / "script.py"
    script.write_text(
        SCRIPT.replace("import ft_thing", "import colorsys as ft_thing; ft_thing.__version__ = 1")
    )
    run_process.start("-q", "-n", "1", "--listen", elsewhere.address, script, "50")
    run_process.wait_for_tasks(20)
    elsewhere.worker(python=str(there / "bin" / "python"))
    assert elsewhere.finish() == 2
    assert "this machine has Python 3." in elsewhere.errors
    assert "install the same, or start it with --any-versions" in elsewhere.errors
    gate.open()
    run_process.finish()


# ---- without processes -------------------------------------------------------------------------


def test_the_same_is_no_difference() -> None:
    here = environment.of_modules(["pytest"])
    assert here.packages["pytest"] == pytest.__version__
    assert environment.differences(here) == []
    assert warning({"python": here.python, "implementation": "cpython", "packages": here.packages,
                    "complete": True}) == ""  # fmt: skip


def test_a_third_number_of_python_is_no_difference_but_the_second_is() -> None:
    major, minor = sys.version_info[:2]
    name = sys.implementation.name
    assert environment.differences(Environment(f"{major}.{minor}.99", name, {}, True)) == []
    (found,) = environment.differences(Environment(f"{major}.{minor + 1}.0", name, {}, True))
    assert found.endswith(f"the run uses Python {major}.{minor + 1}.0")


def test_many_differences_are_one_line() -> None:
    packages = {f"no-such-thing-{k}": "1" for k in range(9)}
    run = Environment(environment.bare().python, sys.implementation.name, packages, True)
    text = environment.together(environment.differences(run))
    assert text.startswith("no no-such-thing-0, the run uses 1; ")
    assert text.endswith("; and 5 more")
