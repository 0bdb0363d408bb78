"""Whole runs with real processes, from the launcher's side: exit codes, signals, leftovers."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from scoop_ft.rundir import RunDir, find_runs

from ..waiting import eventually
from .conftest import Shell
from .test_cli_errors import make_run

LIMIT_S = 30.0
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(1000)\n"


def status(shell: Shell) -> dict[str, Any]:
    done = shell.type("status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def start_sleeper(shell: Shell, *options: str) -> tuple[subprocess.Popen[bytes], RunDir]:
    """Start a run that stays; return when its script is up and its workers are known."""
    launcher = shell.start("run", "-n", "2", *options, shell.script(SLEEPER))
    eventually(lambda: "up" in shell.read("out") or launcher.poll() is not None)
    assert launcher.poll() is None, shell.read("err")

    def all_known() -> bool:
        found = status(shell)
        return len(found["workers"]) == 2 and all(w["pid"] for w in found["workers"])

    eventually(all_known)
    return launcher, find_runs(shell.folder)[-1]


def family(launcher: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return list(psutil.Process(launcher.pid).children(recursive=True))


def test_resuming_what_is_done_removes_what_its_launcher_left(shell: Shell) -> None:
    """One that was killed after the script's end could not remove its socket's private folder."""
    shell.script("print('done')\n")
    place = "x" * 120
    done = shell.type("run", "-q", "-n", "1", "--run-dir", place, "script.py")
    assert done.returncode == 0
    folder = Path(RunDir(shell.folder / place).choose_endpoint().removeprefix("ipc://")).parent
    assert folder.exists()
    again = shell.type("resume", place)
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert not folder.exists()


def test_what_a_finished_run_cannot_use_is_said(shell: Shell) -> None:
    shell.script("print('done')\n")
    assert shell.type("run", "-q", "-n", "1", "script.py").returncode == 0
    again = shell.type("resume", "--seed", "3", "--code-on-disk", "-n", "2")
    assert again.returncode == 0
    [line] = [line for line in again.stderr.splitlines() if "is finished" not in line]
    assert line == "scoop-ft: nothing was left to do, so --seed and --code-on-disk changed nothing"
    again = shell.type("resume", "--recorded-code")
    assert "so --recorded-code changed nothing" in again.stderr
    assert "changed nothing" not in shell.type("resume").stderr


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_scripts(shell: Shell, code: int) -> None:
    shell.script(f"import sys\nprint(sys.argv[1:])\nsys.exit({code})\n")
    done = shell.type("run", "-q", "-n", "1", "script.py", "-v", "--", "--seed", "ü")
    assert done.stdout == "['-v', '--', '--seed', 'ü']\n"
    assert done.stderr == ""
    assert done.returncode == code
    (run,) = find_runs(shell.folder)
    assert not run.live_json.exists()
    assert not list(run.slates.iterdir())
    found = status(shell)
    assert found["state"] == ("failed" if code else "done")
    assert found["exit_code"] == code
    assert found["launcher"]["pid"] is None


FAILS_AT_ITS_END = """\
from scoop_ft import futures

if __name__ == "__main__":
    print(sum(futures.map(abs, range(9))))
    import a_module_to_plot_with
"""


def test_a_script_that_fails_with_results_says_how_to_go_on(shell: Shell) -> None:
    """Weeks of results, and then the plot: nothing of it need be computed again."""
    shell.script(FAILS_AT_ITS_END)
    done = shell.type("run", "-n", "1", "script.py")
    assert (done.stdout, done.returncode) == ("36\n", 1)
    said, _, command = done.stderr.splitlines()[-1].rpartition(": ")
    assert said == (
        "scoop-ft: the script has ended with exit code 1; what is done is kept: "
        "mend it, and go on with"
    )
    (shell.folder / "a_module_to_plot_with.py").touch()
    again = shell.type(*shlex.split(command)[1:])
    assert (again.stdout, again.returncode) == ("36\n", 0)
    assert "9 reused" in again.stderr


def test_output_that_is_no_terminal_is_byte_exact(shell: Shell) -> None:
    shell.script("import os\nos.write(1, b'a\\xffb\\r\\0no end')\n")
    done = subprocess.run(
        shell.command("-q", "-n", "1", "script.py"), cwd=shell.folder, capture_output=True
    )
    assert done.stdout == b"a\xffb\r\0no end"


def test_the_script_has_the_standard_input(shell: Shell) -> None:
    shell.script("print(input('name? ').upper())\n")
    assert shell.type("-q", "-n", "1", "script.py", stdin="ada\n").stdout == "name? ADA\n"


def test_a_finished_run_is_not_run_again(shell: Shell) -> None:
    shell.script("print('once')\n")
    assert shell.type("-q", "-n", "1", "script.py").stdout == "once\n"
    (run,) = find_runs(shell.folder)
    for words in (["resume", str(run.path)], ["resume"]):
        done = shell.type(*words)
        assert done.returncode == 0
        assert done.stdout == ""
        assert "is finished: 0 done, 0 pending, 0 failed" in done.stderr


def test_what_resume_may_override(shell: Shell) -> None:
    shell.script("import sys\nprint(sys.argv[1:])\nsys.exit(1)\n")
    assert shell.type("-q", "-n", "1", "script.py", "first").stdout == "['first']\n"
    done = shell.type("resume", "-q")
    assert (done.stdout, done.returncode) == ("['first']\n", 1)
    done = shell.type("resume", "-n", "2", "--seed", "7", "--", "second", "-q")
    assert done.stdout == "['second', '-q']\n"
    assert "resuming" in done.stderr
    (run,) = find_runs(shell.folder)
    assert (run.info().workers, run.info().seed) == (2, 7)


def test_status_names_only_what_lives(shell: Shell) -> None:
    launcher, run = start_sleeper(shell)
    found = status(shell)
    pids = [found[name]["pid"] for name in ("launcher", "root", "broker")]
    pids += [worker["pid"] for worker in found["workers"]]
    assert found["state"] == "running"
    assert found["launcher"]["pid"] == launcher.pid
    assert len(set(pids)) == 5
    assert all(psutil.pid_exists(pid) for pid in pids)
    assert found["run_dir"] == str(run.path)
    assert found["broker"]["endpoint"].startswith("ipc://")
    launcher.kill()
    launcher.wait()
    found = status(shell)
    assert found["state"] == "interrupted"
    assert found["workers"] == []
    assert not any(found[name]["pid"] for name in ("launcher", "root", "broker"))


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 75, "stopped by SIGTERM")],
)
def test_asked_to_end_it_ends_all_and_says_how_to_go_on(
    shell: Shell, number: int, code: int, said: str
) -> None:
    launcher, run = start_sleeper(shell)
    processes = family(launcher)
    began = time.monotonic()
    launcher.send_signal(number)
    assert launcher.wait(LIMIT_S) == code
    assert time.monotonic() - began < 4.0  # two of its own, and a busy machine
    assert all(is_gone(process) for process in processes)
    path = run.path.relative_to(shell.folder)
    assert shell.read("err").endswith(f"scoop-ft: {said}; go on with: scoop-ft resume {path}\n")
    assert not run.live_json.exists()


SLOW_START = """
import pathlib, sys, time
if "scoop_ft.root" in sys.orig_argv:
    pathlib.Path(__file__).with_name("starting").touch()
    time.sleep(0.5)
"""


def test_asked_to_end_while_the_script_is_being_started(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import may swallow the signal, or show where it was: neither is seen."""
    (shell.folder / "sitecustomize.py").write_text(SLOW_START)
    monkeypatch.setenv("PYTHONPATH", str(shell.folder))
    launcher = shell.start("run", "-n", "1", shell.script(SLEEPER))
    eventually(lambda: (shell.folder / "starting").exists())
    began = time.monotonic()
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(LIMIT_S) == 75
    assert time.monotonic() - began < 5.0
    assert "up" not in shell.read("out")
    assert "Traceback" not in shell.read("err")
    assert "KeyboardInterrupt" not in shell.read("err")


def test_asked_twice_it_ends_at_once(shell: Shell) -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SLEEPER
    launcher = shell.start("run", "-n", "1", shell.script(stubborn))
    eventually(lambda: "up" in shell.read("out"))
    processes = family(launcher)
    launcher.send_signal(signal.SIGINT)
    launcher.send_signal(signal.SIGTERM)  # another one: two of a kind may arrive as one
    assert launcher.wait(LIMIT_S) in (130, 75)
    assert all(is_gone(process) for process in processes)


def test_nothing_outlives_a_killed_launcher(shell: Shell) -> None:
    launcher, _ = start_sleeper(shell)
    processes = family(launcher)
    assert len(processes) == 4
    launcher.kill()
    launcher.wait()
    eventually(lambda: all(is_gone(process) for process in processes), within_s=2.0)


def test_a_journal_that_was_cut_off_is_refused_while_its_broker_is_still_there(
    shell: Shell,
) -> None:
    launcher, run = start_sleeper(shell)
    launcher.kill()
    launcher.wait()
    broker = shell.start("broker", run.path.name, called="broker-")  # ends with no launcher
    eventually(lambda: status(shell)["broker"]["pid"] == broker.pid)
    broker.send_signal(signal.SIGSTOP)
    try:
        data = run.journal / "data.mdb"
        os.truncate(data, data.stat().st_size // 2)
        refused = shell.type("explain", run.path.name)
        shown = shell.type("status", run.path.name)
    finally:
        broker.kill()
        broker.wait()
    assert shown.returncode == 0, shown
    assert "its data file is cut off" in " ".join(shown.stdout.split())
    after = [shell.type(command, run.path.name) for command in ("status", "resume")]
    for done in (refused, *after):
        assert done.returncode == 2, done
        assert "its data file is cut off" in done.stderr
        assert done.stderr.count("\n") == 1
    said = shell.type("resume").stderr
    assert f"no run to go on with: {run.path.name} cannot be read: the journal at" in said


def test_who_dies_is_started_again(shell: Shell) -> None:
    launcher, _ = start_sleeper(shell)
    found = status(shell)
    worker, broker = found["workers"][0]["pid"], found["broker"]["pid"]
    os.kill(worker, signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)

    def all_back() -> bool:
        now = status(shell)
        return (
            now["broker"]["restarts"] == 1
            and now["broker"]["pid"] not in (None, broker)
            and len(now["workers"]) == 2
            and worker not in [w["pid"] for w in now["workers"]]
        )

    eventually(all_back)
    os.kill(status(shell)["root"]["pid"], signal.SIGKILL)
    eventually(lambda: status(shell)["root"]["restarts"] == 1)
    assert launcher.poll() is None
    said = shell.read("err")
    assert f"(pid {worker}) was killed by SIGKILL; started again" in said
    assert "the broker was killed by SIGKILL; started again" in said
    assert "the script's process was killed by SIGKILL; started again" in said


def test_a_stopped_worker_is_reported(shell: Shell) -> None:
    start_sleeper(shell)
    worker = status(shell)["workers"][0]["pid"]
    os.kill(worker, signal.SIGSTOP)

    def state() -> str:
        return next(str(w["state"]) for w in status(shell)["workers"] if w["pid"] == worker)

    eventually(lambda: state() == "stopped")
    os.kill(worker, signal.SIGCONT)
    eventually(lambda: state() != "stopped")


def test_a_root_that_dies_in_vain_is_given_up(shell: Shell) -> None:
    shell.script("import os\nos.kill(os.getpid(), 11)\n")
    done = shell.type("run", "-n", "1", "--max-attempts", "1", "script.py")
    assert done.returncode == 139
    assert "SIGSEGV, 2 times in a row with no task done" in done.stderr
    assert "go on with: scoop-ft resume" in done.stderr


def test_a_path_that_is_too_long_for_a_socket(shell: Shell) -> None:
    shell.script("print('ok')\n")
    done = shell.type("run", "-q", "-n", "1", "--run-dir", "d" * 120, "script.py")
    assert done.stdout == "ok\n", done.stderr


def test_runs_with_a_name_of_their_own_are_found(shell: Shell) -> None:
    assert shell.type("run", "-q", "-n", "1", shell.script("raise SystemExit(3)")).returncode == 3
    script = shell.script(
        "import os\nprint(os.path.exists('again'))\nraise SystemExit(3)", "own.py"
    )
    assert shell.type("run", "-q", "-n", "1", "--run-dir", "own", script).returncode == 3
    listed = shell.type("runs").stdout.splitlines()
    assert [line.split()[0] for line in listed[1:]][1:] == ["own"]
    assert len(listed) == 3
    (shell.folder / "again").touch()
    done = shell.type("resume")
    assert (done.returncode, done.stdout) == (3, "True\n")
    assert status(shell)["run_dir"] == str(shell.folder / "own")


@pytest.mark.parametrize("lost", ["journal", "journal/data.mdb"])
def test_a_run_that_has_lost_its_journal_is_not_computed_anew(shell: Shell, lost: str) -> None:
    script = shell.script("print('computed')\nraise SystemExit(3)")
    assert shell.type("run", "-q", "-n", "1", "--run-dir", "own", script).returncode == 3
    path = shell.folder / "own" / lost
    path.rename(shell.folder / "away")
    for words in (["resume"], ["status"], ["resume", "--dry-run"], ["explain"], ["broker"]):
        done = shell.type(*words, "own")
        assert (done.returncode, done.stdout) == (2, "")
        assert "own is gone, and all results with it" in done.stderr
        assert done.stderr.count("\n") == 1
    (shell.folder / "away").rename(path)
    assert shell.type("resume", "own").stdout == "computed\n"


def test_a_run_that_never_had_a_journal_is_begun(shell: Shell) -> None:
    """Killed at its very start, it has nothing to lose."""
    run = make_run(shell)
    shell.script("print('computed')")
    run.log("broker").touch()
    assert shell.type("resume", "one").stdout == "computed\n"


@pytest.mark.parametrize("name", ["scoop-ft-results", "scoop-ft-socket-results"])
def test_a_run_is_kept_whatever_its_directory_is_called(shell: Shell, name: str) -> None:
    (shell.folder / "one.py").write_text(
        "from scoop_ft import futures\n"
        "if __name__ == '__main__':\n"
        "    print(futures.submit(abs, -7).result())\n"
    )
    done = shell.type("run", "-q", "-n", "1", "--run-dir", name, "one.py")
    assert (done.stdout, done.returncode) == ("7\n", 0), done.stderr
    assert "1/1" in shell.type("runs").stdout
    assert "7" in shell.type("journal", "export", name).stdout


def test_a_long_name_of_the_temporary_directory(shell: Shell) -> None:
    deep = shell.folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (shell.folder / "one.py").write_text(
        "from scoop_ft import Executor\n"
        "if __name__ == '__main__':\n"
        "    with Executor(1) as executor:\n"
        "        print(executor.submit(abs, -7).result())\n"
    )
    done = subprocess.run(
        [sys.executable, "one.py"], cwd=shell.folder, env={**os.environ, "TMPDIR": str(deep)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("7\n", 0), done.stderr
    assert list(deep.iterdir()) == []


def test_workers_that_start_slowly_are_said_to_be_starting(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = shell.folder / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import sys, time\n"
        "if any('scoop_ft.worker' in word for word in sys.orig_argv):\n    time.sleep(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{slow}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    script = shell.script(
        "from scoop_ft import futures\nif __name__ == '__main__':\n"
        "    print(futures.submit(abs, -7).result())\n"
    )
    done = shell.type("run", "-n", "2", script)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
    assert "0 of 2 workers; waiting: the workers are starting\n" in done.stderr
    assert "no worker is connected" not in done.stderr


def test_a_script_that_takes_long_to_go_away_is_not_killed_as_it_does(shell: Shell) -> None:
    """Who holds much takes long to let go of it, and a file that he holds is written then."""
    script = shell.script(
        "import time\nfrom scoop_ft import futures\n"
        "class Held:\n    def __init__(self):\n        self.file = open('results.txt', 'w')\n"
        "    def __del__(self, sleep=time.sleep):\n        sleep(8)\n"
        "if __name__ == '__main__':\n    held = Held()\n"
        "    held.file.write(str(futures.submit(abs, -7).result()))\n"
    )
    done = shell.type("run", "-n", "1", script)
    assert done.returncode == 0, done.stderr
    assert (shell.folder / "results.txt").read_text() == "7"
    assert "the script has ended, its process" in done.stderr
