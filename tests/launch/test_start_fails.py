"""A run that never came to work leaves nothing that a later resume would go on with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from scoop_ft.rundir import find_runs

from ..waiting import eventually
from .conftest import LIMIT_S, Shell
from .test_run import start_sleeper

NO_BROKER = """\
import sys
if "scoop_ft.broker" in getattr(sys, "orig_argv", []):
    import atexit, os
    sys.stderr.write("Traceback: no broker today\\n")
    sys.stderr.flush()
    os._exit(1)
"""
NO_HOSTS = ["--hosts", "nobody-knows.invalid", "--ssh-executable", "false"]


WAITING = """\
from scoop_ft import futures
if __name__ == "__main__":
    futures.submit(abs, -7).result()
"""


def break_the_broker(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.folder / "broken").mkdir()
    (shell.folder / "broken" / "sitecustomize.py").write_text(NO_BROKER)
    monkeypatch.setenv("PYTHONPATH", str(shell.folder / "broken"))


def with_results(shell: Shell) -> Path:
    """Make a run that has a result and is not finished."""
    text = (
        "import sys\nfrom scoop_ft import futures\n"
        "if __name__ == '__main__':\n"
        "    print(futures.submit(abs, -7).result())\n    sys.exit(3)\n"
    )
    assert shell.type("run", "-q", "-n", "1", shell.script(text, "seven.py")).returncode == 3
    return find_runs(shell.folder)[-1].path


@pytest.mark.parametrize("options", [[], ["--run-dir", "one"]])
def test_a_broker_that_cannot_start(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    earlier = with_results(shell)
    with monkeypatch.context() as broken:
        break_the_broker(shell, broken)
        done = shell.type("run", "-q", "-n", "1", *options, shell.script(""))
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert "the broker exited (1) as it started, 3 times in a row: Traceback: no broker" in error
    assert "resume" not in error
    assert "the last lines of the broker's log:\n  Traceback: no broker today" in done.stderr
    assert [run.path for run in find_runs(shell.folder)] == [earlier]
    assert not (shell.folder / "one").exists()
    again = shell.type("resume")
    assert "1 done" in again.stderr
    assert again.stdout == "7\n"


def test_hosts_of_which_none_can_be_used(shell: Shell) -> None:
    earlier = with_results(shell)
    done = shell.type("run", "-q", *NO_HOSTS, shell.script(WAITING))
    assert done.returncode == 2, done.stderr
    assert "no host can be used" in done.stderr
    assert "resume" not in done.stderr
    assert [run.path for run in find_runs(shell.folder)] == [earlier]


ONCE = """\
import sys
from pathlib import Path
from scoop_ft import futures
def told():
    with open("letters", "a") as file:
        file.write("sent\\n")
if __name__ == "__main__":
    futures.once(told)
    Path("done").touch()
    print(futures.submit(abs, -7).result())
"""


def test_what_may_be_done_once_only_stays_done(shell: Shell) -> None:
    unreachable = shell.folder / "unreachable"
    unreachable.write_text(
        "#!/bin/sh\nuntil [ -e done ]; do sleep 0.02; done\nsleep 0.1\nexit 255\n"
    )
    unreachable.chmod(0o755)
    hosts = ["--hosts", "nobody-knows.invalid", "--ssh-executable", str(unreachable)]
    done = shell.type("run", "-q", *hosts, shell.script(ONCE))
    assert done.returncode == 2, done.stderr
    assert "no host can be used" in done.stderr
    again = shell.type("resume", "--hosts", "localhost", "-n", "1")
    assert again.stdout == "7\n", again.stderr
    assert (shell.folder / "letters").read_text() == "sent\n"


def test_an_empty_folder_that_was_there_stays(shell: Shell) -> None:
    (shell.folder / "mine").mkdir()
    done = shell.type("run", "-q", "--run-dir", "mine", *NO_HOSTS, shell.script(WAITING))
    assert done.returncode == 2, done.stderr
    assert list((shell.folder / "mine").iterdir()) == []


def test_a_run_that_was_at_work_stays_when_its_broker_cannot_be_started_again(shell: Shell) -> None:
    launcher, run = start_sleeper(shell)
    live = run.live()
    assert live is not None
    assert live.broker is not None
    launcher.send_signal(signal.SIGSTOP)  # so that the broker is started again after the damage
    os.kill(live.broker.pid, signal.SIGKILL)
    (run.journal / "data.mdb").write_bytes(b"damaged" * 1000)
    launcher.send_signal(signal.SIGCONT)
    assert launcher.wait(30) == 2
    assert str(run.journal) in shell.read("err").splitlines()[-1]
    assert run.run_json.exists()


BEFORE_ITS_FIRST_TASK = """\
import time
if __name__ == "__main__":
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupted_before_its_first_task_is_passed_over(
    shell: Shell, number: signal.Signals
) -> None:
    earlier = with_results(shell)
    blank = start_another(shell)
    blank.send_signal(number)
    blank.wait(30)
    name = find_runs(shell.folder)[-1].path.name
    assert name != earlier.name
    again = shell.type("resume")
    assert again.stdout == "7\n", again.stderr
    assert f"nothing is recorded in {name}: going on with {earlier.name}" in again.stderr


def test_the_only_unfinished_run_is_gone_on_with_though_nothing_is_recorded(shell: Shell) -> None:
    start_another(shell).send_signal(signal.SIGINT)
    eventually(lambda: "go on with" in shell.read("err"))
    shell.script("print('again')", "another.py")
    again = shell.type("resume")
    assert again.stdout == "again\n", again.stderr


def test_no_second_run_is_started_by_surprise_beside_a_newer_one(shell: Shell) -> None:
    earlier = with_results(shell)
    start_another(shell)
    newest = find_runs(shell.folder)[-1].path
    done = shell.type("resume")
    assert done.returncode == 2
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert len(said) == 1
    assert f"{newest.name} is running, and was started later than {earlier.name}" in said[0]
    assert said[0].endswith(f"scoop-ft resume .scoop-ft/{earlier.name}")
    named = shell.type("resume", earlier.name)
    assert named.stdout == "7\n", named.stderr


def test_a_newer_one_that_cannot_be_read_may_be_the_one_that_is_meant(shell: Shell) -> None:
    earlier = with_results(shell)
    newest = with_results(shell)
    (newest / "journal" / "data.mdb").write_bytes(bytes(12_288))
    done = shell.type("resume")
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert f"{newest.name} cannot be read (" in said
    assert said.endswith(f"scoop-ft resume .scoop-ft/{earlier.name}")


def start_another(shell: Shell) -> subprocess.Popen[bytes]:
    """Start a run that is busy before its first task; return when it is."""
    script = shell.script(BEFORE_ITS_FIRST_TASK, "another.py")
    launcher = shell.start("run", "-n", "1", script)
    eventually(lambda: "up" in shell.read("out") or launcher.poll() is not None)
    assert launcher.poll() is None, shell.read("err")
    return launcher


def test_with_too_few_descriptors_for_a_worker_the_line_of_what_is_waited_for_says_so(
    shell: Shell,
) -> None:
    words = ["timeout", "-s", "INT", "6", *shell.command("run", "-n", "2", shell.script(WAITING))]
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -n 27; exec "$@"', "sh", *words],
        cwd=shell.folder, capture_output=True, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    line = next(line for line in done.stderr.splitlines() if "waiting: the workers" in line)
    reason = "[Errno 24] Too many open files: allow more (ulimit -n), or start fewer workers (-n)"
    assert line.endswith(f"waiting: the workers die as they start: {reason}")
    assert "pid 0" not in done.stderr


def test_nothing_is_left_where_open_files_cannot_be_removed(shell: Shell) -> None:
    """There they stay under another name, and the next try was told that there is something."""
    source, mounted = shell.folder / "source", shell.folder / "mounted"
    source.mkdir(), mounted.mkdir()
    if not shutil.which("bindfs") or subprocess.run(["bindfs", source, mounted]).returncode:
        pytest.skip("a file system in user space cannot be had here: no bindfs")
    try:
        words = ["-q", "-n", "1", "--run-dir", "mounted/run", shell.script("print('hello')\n")]
        done = shell.type("run", *words)
        assert (done.returncode, os.listdir(source)) == (2, []), done.stderr
        done = shell.type("run", "--journal-unsafe-fs", *words)
        assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)
