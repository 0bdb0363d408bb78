"""Real runs, killed; their files edited or deleted; resumed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

from scoop_ft.broker.offline import read
from scoop_ft.rundir import find_runs

from . import programs


@pytest.fixture
def run(run_process: RunProcess) -> RunProcess:
    """A run of version 1, killed in the middle, whatever it was doing."""
    script = programs.write(run_process.folder)
    run_process.start("-q", "-n", "2", script, "500")
    run_process.wait_for_tasks(20)
    run_process.kill_everything()
    return run_process


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
    assert environment.python == ".".join(map(str, os.sys.version_info[:3]))  # type: ignore[attr-defined]


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
        "root script 1 model 1 study.py ['500']",
    ]
    run.resume()
    assert run.wait() == 0


def test_files_that_were_edited(run: RunProcess) -> None:
    programs.write(run.folder, "2", "2", "2")
    run.resume("--recorded-code")
    assert run.finish().splitlines() == [
        "script 1 model 1 late 1",
        "files [True]",
        "root script 1 model 1 study.py ['500']",
    ]
    assert "with the recorded code" in run.errors
    assert "reused" in run.errors


def test_without_being_told_the_files_count(run: RunProcess) -> None:
    programs.write(run.folder, "1", "2", "2")
    run.resume("-q")
    lines = run.finish().splitlines()
    assert lines[-1] == "root script 1 model 2 study.py ['500']"
    assert "script 1 model 2 late 2" in lines


def test_the_choice_is_kept_until_it_is_taken_back(run: RunProcess) -> None:
    programs.write(run.folder, "1", "2", "2")
    run.resume("-q", "--recorded-code")
    run.wait_for_tasks(60)
    run.kill_everything()
    run.resume("-q")
    run.wait_for_tasks(100)
    run.kill_everything()
    run.resume("-q", "--code-on-disk")
    lines = run.finish().splitlines()
    assert "script 1 model 1 late 1" in lines
    assert "script 1 model 2 late 2" in lines


@pytest.mark.parametrize("victim", ["worker", "root", "broker"])
def test_an_edit_under_a_run_changes_nothing_for_it(run_process: RunProcess, victim: str) -> None:
    """Neither for who was there nor for who is started again."""
    run = run_process
    script = programs.write(run.folder)
    run.start("-q", "-n", "2", script, "500")
    run.wait_for_tasks(20)
    programs.write(run.folder, "2", "2", "2")
    run.kill(victim)
    assert run.finish().splitlines() == [
        "script 1 model 1 late 1",
        "files [True]",
        "root script 1 model 1 study.py ['500']",
    ]


def test_files_deleted_under_a_run_are_not_missed(run_process: RunProcess) -> None:
    run = run_process
    run.start("-q", "-n", "2", programs.write(run.folder), "500")
    run.wait_for_tasks(20)
    programs.remove(run.folder)
    run.kill("workers")
    run.kill("root")
    lines = run.finish().splitlines()
    assert lines[0] == "script 1 model 1 late 1"
    assert lines[-1] == "root script 1 model 1 study.py ['500']"


def test_an_import_waits_for_a_broker_that_is_away(run_process: RunProcess) -> None:
    """It needs the broker's bytes for its next task's first import, and there is no broker."""
    run = run_process
    run.start("-q", "-n", "1", programs.write(run.folder), "500")
    found = run.wait_for_tasks(20)
    programs.write(run.folder, "2", "2", "2")
    broker = found["broker"]["pid"]
    os.kill(broker, signal.SIGSTOP)
    run_process_kill_worker(found)
    os.kill(broker, signal.SIGKILL)
    assert run.finish().splitlines()[0] == "script 1 model 1 late 1"
    assert "ModuleNotFoundError" not in run.errors


def run_process_kill_worker(found: dict[str, object]) -> None:
    workers = found["workers"]
    assert isinstance(workers, list)
    for worker in workers:
        os.kill(worker["pid"], signal.SIGKILL)


def test_a_launch_that_fails_at_once_takes_nothing_away(run: RunProcess) -> None:
    """The user has edited, resumes, sees that it was wrong, and wants to go on as it was."""
    (run.folder / "study.py").write_text("raise SystemExit('not this one')")
    run.resume("-q")
    assert run.wait() == 1
    assert "not this one" in run.errors
    run.resume("-q", "--recorded-code")
    assert run.finish().splitlines()[0] == "script 1 model 1 late 1"


def test_a_journal_without_code_says_so(run_process: RunProcess) -> None:
    run = run_process
    run.start("-q", "-n", "1", programs.write(run.folder), "500")
    run.wait_until(lambda found: found["launcher"]["pid"])
    run.kill("launcher")
    run.wait()
    directory = find_runs(run.folder)[-1]
    for file in (directory.journal / "data.mdb", directory.journal / "lock.mdb"):
        file.unlink(missing_ok=True)
    run.resume("--recorded-code")
    assert run.wait() == 2
    assert "holds no code" in run.errors


def test_a_script_of_another_name_and_encoding(run_process: RunProcess) -> None:
    """Bytes travel, not text."""
    run = run_process
    script = run.folder / "studie"
    script.write_bytes(
        "# coding: latin-1\n"
        "from scoop_ft import futures\n"
        "import time\n"
        "def f(x):\n"
        "    time.sleep(0.02)\n"
        "    return 'gr\xfc\xdfe'\n"
        "if __name__ == '__main__':\n"
        "    print(ascii(set(futures.map(f, range(150)))))\n".encode("latin-1")
    )
    run.start("-q", "-n", "2", script)
    run.wait_for_tasks(20)
    run.kill_everything()
    script.unlink()
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
