"""Real runs, killed; their files edited or deleted; resumed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

from scoop_ft.broker.offline import read
from scoop_ft.ids import digest
from scoop_ft.rundir import find_runs

from ..waiting import eventually
from . import programs
from .conftest import Gate


def start(run: RunProcess, *words: str, workers: str = "2") -> RunProcess:
    """Start version 1, and wait until it stands at the gate."""
    run.start("-q", "-n", workers, programs.write(run.folder), "100")
    run.wait_for_tasks(20)
    return run


@pytest.fixture
def run(run_process: RunProcess, gate: Gate) -> RunProcess:
    """A run of version 1, killed when 20 of its 100 tasks were done; the gate is open now."""
    start(run_process).kill_everything()
    gate.open()
    return run_process


def recorded(run: RunProcess) -> dict[str, bytes]:
    """Return the digests of the code that the journal holds."""
    book, reader = read(find_runs(run.folder)[-1].journal)
    reader.close()
    return {name: entry.ref.digest for name, entry in book.code.recorded.items()}


def test_what_is_in_the_journal(run: RunProcess) -> None:
    book, reader = read(find_runs(run.folder)[-1].journal)
    with reader:
        found = {name: entry.ref.kind for name, entry in book.code.recorded.items()}
        assert found == {
            "__main__": "script", "ft_model": "module",
            "ft_late": "package", "ft_late.inner": "module",
        }  # fmt: skip
        environment = book.code.environment
    assert environment is not None
    assert environment.python == ".".join(map(str, sys.version_info[:3]))


def test_files_that_are_gone(run: RunProcess) -> None:
    programs.remove(run.folder)
    run.resume("-q")
    assert run.wait() == 2
    assert "there is no script" in run.errors
    assert "--recorded-code" in run.errors

    assert "Traceback" not in run.errors
    run.resume("-q", "--recorded-code")
    assert run.finish().splitlines() == [
        "script 1 model 1 late 1",
        "files [False, True]",  # those computed before had their file
        "root script 1 model 1 study.py ['100']",
    ]
    run.resume()
    assert run.wait() == 0


def test_files_that_were_edited(run: RunProcess) -> None:
    programs.write(run.folder, "2", "2", "2")
    run.resume("--recorded-code")
    assert run.finish().splitlines() == [
        "script 1 model 1 late 1",
        "files [True]",
        "root script 1 model 1 study.py ['100']",
    ]
    assert "with the recorded code" in run.errors
    assert "reused" in run.errors


def test_without_being_told_the_files_count(run: RunProcess) -> None:
    programs.write(run.folder, "1", "2", "2")
    run.resume("-q", "--keep-results")
    lines = run.finish().splitlines()
    assert lines[-1] == "root script 1 model 2 study.py ['100']"
    assert "script 1 model 2 late 2" in lines


def test_the_choice_is_kept_until_it_is_taken_back(run: RunProcess, gate: Gate) -> None:
    programs.write(run.folder, "1", "2", "2")
    for words, tasks in ((("--recorded-code",), 40), ((), 60)):
        gate.open(tasks)
        run.resume("-q", *words)
        run.wait_for_tasks(tasks)
        run.kill_everything()
    assert recorded(run)["ft_model"] == digest(b"VERSION = 'model 1'\n")
    gate.open()
    run.resume("-q", "--code-on-disk", "--keep-results")
    lines = run.finish().splitlines()
    assert "script 1 model 1 late 1" in lines
    assert "script 1 model 2 late 2" in lines


@pytest.mark.parametrize("victim", ["worker", "root", "broker"])
def test_an_edit_under_a_run_changes_nothing_for_it(
    run_process: RunProcess, gate: Gate, victim: str
) -> None:
    """Neither for who was there nor for who is started again."""
    run = start(run_process)
    programs.write(run.folder, "2", "2", "2")
    run.kill(victim)
    gate.open()
    assert run.finish().splitlines() == [
        "script 1 model 1 late 1",
        "files [True]",
        "root script 1 model 1 study.py ['100']",
    ]


def test_files_deleted_under_a_run_are_not_missed(run_process: RunProcess, gate: Gate) -> None:
    run = start(run_process)
    programs.remove(run.folder)
    run.kill("workers", "root")
    gate.open()
    lines = run.finish().splitlines()
    assert lines[0] == "script 1 model 1 late 1"
    assert lines[-1] == "root script 1 model 1 study.py ['100']"


def test_an_import_waits_for_a_broker_that_is_away(run_process: RunProcess, gate: Gate) -> None:
    """A task waits at the gate, then imports what only the journal has; the broker is stopped."""
    run = run_process
    (run.folder / "ft_late.py").write_text("VERSION = 1\n")
    script = run.folder / "script.py"
    script.write_text(
        "import os, sys, time\n"
        "from scoop_ft import futures\n"
        "def task(x):\n"
        "    while x >= int(open(os.environ['FT_GATE']).read()):\n"
        "        time.sleep(0.01)\n"
        "    open(f'importing.{os.getpid()}', 'w').close()\n"
        "    import ft_late\n"
        "    return ft_late.VERSION\n"
        "if __name__ == '__main__':\n"
        "    print(set(futures.map(task, range(30))))\n"
    )
    run.start("-q", "-n", "1", script)
    found = run.wait_for_tasks(20)
    (run.folder / "ft_late.py").unlink()
    for cache in (run.folder / "__pycache__").glob("*"):
        cache.unlink()
    old, broker = found["workers"][0]["pid"], found["broker"]["pid"]
    run.kill("workers")
    found = run.wait_until(
        lambda now: [w for w in now["workers"] if w["pid"] != old and w.get("task")]
    )
    (new,) = [worker["pid"] for worker in found["workers"] if worker["pid"] != old]
    os.kill(broker, signal.SIGSTOP)
    gate.open()
    eventually((run.folder / f"importing.{new}").exists)
    os.kill(broker, signal.SIGKILL)
    assert run.finish() == "{1}\n"
    assert "Error" not in run.errors


def test_a_launch_that_fails_at_once_takes_nothing_away(run: RunProcess) -> None:
    """The user has edited, resumes, sees that it was wrong, and wants to go on as it was."""
    script = run.folder / "study.py"
    script.write_text(script.read_text().replace("count = ", "sys.exit('not this one')  # "))
    run.resume("-q")
    assert run.wait() == 1
    assert "not this one" in run.errors
    run.resume("-q", "--recorded-code")
    assert run.finish().splitlines()[0] == "script 1 model 1 late 1"


def test_a_resume_that_asks_names_the_way_back(run: RunProcess) -> None:
    """Edited functions stop a resume; the code as it was is one of the ways on."""
    programs.write(run.folder, "2", "2", "2")
    run.resume("-q")
    assert run.wait() == 2
    assert "--recorded-code goes on with the code as it was" in run.errors
    run.resume("-q", "--recorded-code")
    assert run.finish().splitlines()[0] == "script 1 model 1 late 1"
    run.resume()
    assert run.wait() == 0


def test_a_journal_without_code_says_so(run_process: RunProcess, gate: Gate) -> None:
    run = run_process
    run.start("-q", "-n", "1", programs.write(run.folder), "100")
    run.wait_until(lambda found: found["launcher"]["pid"])
    run.kill("launcher")
    run.wait()
    directory = find_runs(run.folder)[-1]
    for file in (directory.journal / "data.mdb", directory.journal / "lock.mdb"):
        file.unlink(missing_ok=True)
    directory.log("broker").unlink(missing_ok=True)  # as if none had ever come to serve it
    run.resume("--recorded-code")
    assert run.wait() == 2
    assert "holds no code" in run.errors


def test_a_script_of_another_name_and_encoding(run_process: RunProcess, gate: Gate) -> None:
    """Bytes travel, not text."""
    run = run_process
    script = run.folder / "studie"
    script.write_bytes(
        "# coding: latin-1\n"
        "from scoop_ft import futures\n"
        "import os, time\n"
        "def f(x):\n"
        "    while x >= int(open(os.environ['FT_GATE']).read()):\n"
        "        time.sleep(0.01)\n"
        "    return 'gr\xfc\xdfe'\n"
        "if __name__ == '__main__':\n"
        "    print(ascii(set(futures.map(f, range(50)))))\n".encode("latin-1")
    )
    run.start("-q", "-n", "2", script)
    run.wait_for_tasks(20)
    run.kill_everything()
    script.unlink()
    gate.open()
    run.resume("-q", "--recorded-code")
    assert run.finish() == "{'gr\\xfc\\xdfe'}\n"


def test_a_file_too_large_is_named(run_process: RunProcess) -> None:
    run = run_process
    (run.folder / "ft_big.py").write_bytes(b"x = 1\n#" + b"x" * 10_000_000)
    script: Path = run.folder / "script.py"
    script.write_text("import ft_big\nprint(ft_big.x)\n")
    run.start("-n", "1", script)
    assert run.finish() == "1\n"
    assert "ft_big.py has more than 10 MB" in run.errors


def test_a_module_that_the_script_makes_and_loads_anew(run_process: RunProcess) -> None:
    """No task runs with the version of before."""
    run = run_process
    script = run.folder / "script.py"
    script.write_text(
        "import importlib, pathlib\n"
        "from scoop_ft import futures\n"
        "def version(x):\n"
        "    import ft_made\n"
        "    return ft_made.V\n"
        "if __name__ == '__main__':\n"
        "    for number in range(4):\n"
        "        pathlib.Path('ft_made.py').write_text(f'V = {10 ** number}')\n"
        "        import ft_made\n"
        "        importlib.reload(ft_made)\n"
        "        assert set(futures.map(version, range(2000))) == {10 ** number}\n"
        "    print('done')\n"
    )
    run.start("-q", "-n", "2", script)
    assert run.finish() == "done\n"


WRITES_A_MODULE = """
from pathlib import Path
from scoop_ft import futures

def prepare(x):
    return x

def simulate(x):
    import ft_parameters
    return ft_parameters.SCALE * x

if __name__ == "__main__":
    scale = sum(futures.map(prepare, range(4)))
    Path("ft_parameters.py").write_text(f"SCALE = {scale}  # of this run")
    print(sum(futures.map(simulate, range(4))))
"""


def test_a_module_that_the_script_writes_for_its_tasks(run_process: RunProcess) -> None:
    """The one that was there as the run began is nobody's business."""
    (run_process.folder / "ft_parameters.py").write_text("SCALE = 1\n")
    (run_process.folder / "script.py").write_text(WRITES_A_MODULE)
    run_process.start("-q", "-n", "2", "script.py")
    assert run_process.finish() == "36\n"
