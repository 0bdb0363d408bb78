"""Workers on machines that lack the files, or have other ones."""

from __future__ import annotations

from typing import Any

from scoop_chaos.runs import RunProcess, pids

from scoop_ft.rundir import find_runs

from . import programs
from .conftest import Elsewhere, Gate


def start(run: RunProcess, elsewhere: Elsewhere, tasks: int = 200) -> None:
    """Start the run, and wait until it stands at the gate."""
    script = programs.write(run.folder)
    run.start("-q", "-n", "1", "--listen", elsewhere.address, script, str(tasks))
    run.wait_for_tasks(20)


def two_workers(found: dict[str, Any]) -> bool:
    """Has the other one joined, and got a task?"""
    return [bool(worker.get("task")) for worker in found["workers"]] == [True, True]


def test_a_machine_without_the_files_gets_them(
    run_process: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    start(run_process, elsewhere)
    elsewhere.worker()
    run_process.wait_until(two_workers)
    gate.open()
    lines = run_process.finish().splitlines()
    assert lines == [
        "script 1 model 1 late 1",
        "files [False, True]",
        "root script 1 model 1 study.py ['200']",
    ]
    assert elsewhere.finish() == 0, elsewhere.errors
    assert "Traceback" not in elsewhere.errors


def test_a_machine_with_other_files_runs_those_of_the_run(
    run_process: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    other = elsewhere.home / "other"
    other.mkdir()
    programs.write(other, "2", "2", "2")
    start(run_process, elsewhere)
    elsewhere.worker(instead=other)
    run_process.wait_until(two_workers)
    gate.open()
    lines = run_process.finish().splitlines()
    assert lines[:2] == ["script 1 model 1 late 1", "files [True]"]


def test_an_error_there_shows_the_lines_of_the_code(
    run_process: RunProcess, elsewhere: Elsewhere
) -> None:
    """The traceback that comes back is that of the file which is not there."""
    script = run_process.folder / "script.py"
    script.write_text(
        "import os, time\n"
        "from scoop_ft import futures\n"
        "def task(x):\n"
        "    time.sleep(0.02)\n"
        "    if not os.path.exists(__file__):\n"
        "        raise ValueError('no file')  # as it was written\n"
        "if __name__ == '__main__':\n"
        "    list(futures.map(task, range(2000)))\n"
    )
    run_process.start("-q", "-n", "1", "--listen", elsewhere.address, script)
    run_process.wait_for_tasks(5)
    elsewhere.worker()
    assert run_process.wait() == 1
    assert f'File "{script}", line 6, in task' in run_process.errors
    assert "raise ValueError('no file')  # as it was written" in run_process.errors


def test_a_broker_that_dies_meanwhile(
    run_process: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    start(run_process, elsewhere)
    run_process.kill("broker")
    elsewhere.worker()
    run_process.wait_until(two_workers)
    run_process.kill("broker")
    gate.open()
    assert run_process.finish().splitlines()[0] == "script 1 model 1 late 1"


def test_a_worker_that_outlives_its_launcher_does_not_go_on_with_the_old_code(
    run_process: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    """It has imported version 1; the run is resumed with version 2 of the modules."""
    run = run_process
    start(run, elsewhere)
    elsewhere.worker()
    run.wait_until(two_workers)
    gate.open(120)
    run.wait_for_tasks(120)
    victims = [pid for name in ("launcher", "root", "broker") for pid in pids(run.status(), name)]
    run.kill("launcher")
    run.wait()
    run.wait_gone(victims)
    done = recorded_tasks(run)
    programs.write(run.folder, "1", "2", "2")
    gate.open()
    run.resume("-q", "--keep-results", "--", "400", "200")
    lines = run.finish().splitlines()
    assert done < 200
    assert lines == [
        "script 1 model 2 late 2",
        "files [False, True]",
        "root script 1 model 2 study.py ['400', '200']",
    ]
    assert elsewhere.finish() == 0


def recorded_tasks(run: RunProcess) -> int:
    from scoop_ft.broker.offline import survey

    return int(survey(find_runs(run.folder)[-1].journal)[0]["tasks"]["done"])


def test_the_run_directory_can_be_moved_without_the_files(
    run_process: RunProcess, gate: Gate
) -> None:
    """A copy of the run directory is enough to go on, on a machine that never had the files."""
    run = run_process
    run.start("-q", "-n", "2", "--run-dir", "here", programs.write(run.folder), "100")
    run.wait_for_tasks(20)
    run.kill_everything()
    gate.open()
    programs.remove(run.folder)
    (run.folder / "here").rename(run.folder / "there")
    again = RunProcess(run.folder, gate.environ)
    try:
        again._run_dir = ["there"]
        again.resume("-q", "--recorded-code")
        assert again.finish().splitlines()[0] == "script 1 model 1 late 1"
    finally:
        again.end()


FIRST_ELSEWHERE = """
import os, time
from scoop_ft import futures

def hold(path):
    while not os.path.exists(path):
        time.sleep(0.01)

def task(path):
    from ft_pkg import tool
    import ft_space.part
    return tool.saw(2) + ft_space.part.VALUE

if __name__ == "__main__":
    held = futures.submit(hold, os.environ["FT_GATE"] + ".end")
    while not os.path.exists(os.environ["FT_GATE"] + ".joined"):
        time.sleep(0.01)
    print(futures.submit(task, "").result())
    open(os.environ["FT_GATE"] + ".end", "w").close()
    held.result()
"""


def test_a_machine_without_the_files_is_first_at_a_module_that_only_tasks_import(
    run_process: RunProcess, elsewhere: Elsewhere, gate: Gate
) -> None:
    """The one beside the files is busy; nobody has imported it yet."""
    folder = run_process.folder
    (folder / "script.py").write_text(FIRST_ELSEWHERE)
    (folder / "ft_pkg").mkdir()
    (folder / "ft_pkg" / "__init__.py").write_text("")
    (folder / "ft_pkg" / "tool.py").write_text(
        "from . import blade\n\ndef saw(x):\n    return x * blade.SHARP\n"
    )
    (folder / "ft_pkg" / "blade.py").write_text("SHARP = 21\n")
    (folder / "ft_space").mkdir()  # a package without a file of its own
    (folder / "ft_space" / "part.py").write_text("VALUE = 100\n")
    run_process.start("-q", "-n", "1", "--listen", elsewhere.address, "script.py")
    run_process.wait_until(lambda found: [bool(w.get("task")) for w in found["workers"]] == [True])
    elsewhere.worker()
    run_process.wait_until(lambda found: len(found["workers"]) == 2)
    gate.file.with_suffix(".joined").touch()
    assert run_process.finish() == "142\n"
    assert elsewhere.finish() == 0, elsewhere.errors
