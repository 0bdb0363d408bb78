"""Each mistake is one line that says what to do, exit code 2, and nothing changed on disk."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scoop_ft import Executor
from scoop_ft.errors import RunError
from scoop_ft.launch.lock import RunLock
from scoop_ft.rundir import RunDir, RunInfo

from .conftest import Shell

PREFIX = "scoop-ft: error: "


def refused(shell: Shell, *words: str) -> str:
    """Type a command that must be refused; return what it says."""
    before = shell.tree()
    done = shell.type(*words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(PREFIX), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert shell.tree() == before
    return done.stderr.removeprefix(PREFIX).strip()


def make_run(shell: Shell, name: str = "one", script: str = "script.py") -> RunDir:
    run = RunDir(shell.folder / ".scoop-ft" / name)
    run.create(
        RunInfo(
            run=name,
            script=str(shell.folder / script),
            args=[],
            cwd=str(shell.folder),
            seed=1,
            workers=1,
            python="",
            created=1.0,
            max_attempts=3,
            path=str(shell.folder),
        )
    )
    return run


# ---- run ----------------------------------------------------------------------------------------


def test_no_such_script(shell: Shell) -> None:
    assert refused(shell, "run", "no.py") == "there is no script no.py"
    assert refused(shell, "no.py") == "there is no script no.py"
    assert refused(shell, "-q", "status").startswith(
        "options stand behind the command, 'scoop-ft s"
    )
    assert refused(shell, "resme") == (
        "there is neither a script nor a command resme: is it 'resume'?"
    )


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_what_no_other_process_could_read_is_no_script(shell: Shell) -> None:
    os.mkfifo(shell.folder / "pipe")
    (shell.folder / "link").symlink_to("/dev/null")
    for script in ("pipe", "link", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        said = refused(shell, "run", script)
        assert said.startswith(f"{script} is no file that workers and a resume could read again")
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(shell.command('run'))} <(echo 'print(1)')"],
        cwd=shell.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "is no file that workers" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_is_no_script(shell: Shell) -> None:
    (shell.folder / "folder").mkdir()
    said = refused(shell, "folder")
    assert said.startswith("folder is a folder, not a script: name a file; for a package, write a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_script_that_may_not_be_read(shell: Shell) -> None:
    (shell.folder / shell.script("")).chmod(0)
    assert "Permission denied" in refused(shell, "script.py")


def test_a_syntax_error_names_its_line(shell: Shell) -> None:
    shell.script("x = 1\nif x\n")
    assert "syntax error: script.py, line 2: expected ':'" in refused(shell, "script.py")


@pytest.mark.parametrize("content", [b"x\0y", b"\xff\xfe", b"'\xe9'"])
def test_something_else_than_a_script(shell: Shell, content: bytes) -> None:
    (shell.folder / "data.bin").write_bytes(content)
    assert "data.bin" in refused(shell, "data.bin")


def test_a_run_directory_in_use(shell: Shell) -> None:
    shell.script("")
    make_run(shell)
    said = refused(shell, "run", "--run-dir", ".scoop-ft/one", "script.py")
    assert "holds a run already" in said
    said = refused(shell, "run", "--run-dir", ".", "script.py")
    assert "is not empty: choose another --run-dir" in said


def test_a_run_directory_that_cannot_be_made(shell: Shell) -> None:
    script = shell.script("")
    said = refused(shell, "run", "--run-dir", f"{script}/below", script)
    assert "Not a directory" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "Missing argument 'SCRIPT': see 'scoop-ft run --help'"),
        (["run", "-n", "0", "script.py"], "'0' is not a number of workers"),
        (["run", "-n", "two", "script.py"], "'two' is not a number of workers"),
        (["run", "--nonsense", "script.py"], "--nonsense"),
        (["run", "--listen", "here", "script.py"], "--listen wants tcp://HOST:PORT"),
        (["worker", "tcp://127.0.0.1:1"], "needs --keys"),
        (["worker", "tcp://127.0.0.1:1", "--keys", "."], "it is there once the run was started or"),
        (["worker", "nowhere"], "there is no run nowhere"),
        (["journal", "nonsense"], "No such command 'nonsense': see 'scoop-ft journal --help'"),
        (["status", "one", "two"], "unexpected extra argument (two): see 'scoop-ft status --help'"),
        (["run", "--journal-limit", "3X", "script.py"], "--journal-limit: 3X is no size"),
        (["run", "--max-memory-per-worker", "3X", "script.py"], "--max-memory-per-worker: 3X is"),
    ],
)
def test_wrong_words(shell: Shell, words: list[str], said: str) -> None:
    shell.script("")
    assert said in refused(shell, *words)


# ---- resume and the others ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["resume", "status"])
def test_no_run_here(shell: Shell, command: str) -> None:
    assert "no run found in this folder: give the run directory" in refused(shell, command)


@pytest.mark.parametrize("command", ["resume", "status", "broker", "worker"])
def test_not_a_run(shell: Shell, command: str) -> None:
    assert "is not a run directory: it has no run.json" in refused(shell, command, ".")


@pytest.mark.parametrize("command", ["resume", "status", "broker"])
def test_no_such_run(shell: Shell, command: str) -> None:
    assert "there is no run 2020: 'scoop-ft runs' lists" in refused(shell, command, "2020")


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"format": 2}', "another version of scoop-ft"), ("nonsense", "is damaged")],
)
def test_a_run_json_that_cannot_be_read(shell: Shell, content: str, said: str) -> None:
    make_run(shell).run_json.write_text(content)
    assert said in refused(shell, "resume", "one")
    assert said in refused(shell, "status", "one")


def test_a_script_that_is_gone(shell: Shell) -> None:
    make_run(shell)
    assert "there is no script" in refused(shell, "resume", "one")


def test_a_second_launcher(shell: Shell) -> None:
    shell.script("")
    run = make_run(shell)
    lock = RunLock(run)
    lock.acquire()
    assert "is running already" in refused(shell, "resume", "one")
    assert "no run to go on with: one is running" in refused(shell, "resume")
    lock.release()


@pytest.mark.parametrize("content", [b"", b"garbage" * 2000])
@pytest.mark.parametrize("command", [["resume"], ["status"], ["journal", "verify"]])
def test_a_journal_that_is_none(shell: Shell, content: bytes, command: list[str]) -> None:
    shell.script("")
    run = make_run(shell)
    run.journal.mkdir(mode=0o700)
    (run.journal / "data.mdb").write_bytes(content)
    assert str(run.journal) in refused(shell, *command, "one")


def test_verbose_says_where_an_error_comes_from(shell: Shell) -> None:
    done = shell.type("run", "-v", "no.py")
    assert done.returncode == 2
    assert "FileNotFoundError" in done.stderr or "RunError" in done.stderr
    assert done.stderr.endswith("\nscoop-ft: error: there is no script no.py\n")
    assert "Traceback" not in shell.type("run", "no.py", "-v").stderr


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["run", "-m", "study.main"], "run"),
        (["-m", "study.main", "-n", "3"], "run"),
        (["run", "-n", "2", "-m", "study.main", "its", "--args"], "run"),
        (["chaos", "-m", "study.main"], "chaos"),
    ],
)
def test_a_module_in_place_of_a_script(shell: Shell, words: list[str], command: str) -> None:
    said = refused(shell, *words)
    assert said.startswith("-m: a script is wanted, not a module: write one beside the package")
    assert "'from study.main import main'" in said
    assert said.endswith(f"; then: scoop-ft {command} THAT_SCRIPT")


# ---- what is no error ---------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "-h"], ["resume", "--help"]])
def test_help(shell: Shell, words: list[str]) -> None:
    done = shell.type(*words)
    assert done.returncode == 0, done.stderr
    assert "Usage: scoop-ft" in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["journal", "--help"]])
def test_lists_of_commands_are_not_cut_off(shell: Shell, words: list[str]) -> None:
    assert "..." not in shell.type(*words).stdout.partition("Commands:")[2]


def test_version_and_no_runs(shell: Shell) -> None:
    assert shell.type("version").stdout.startswith("scoop-ft")
    assert shell.type("--version").stdout.startswith("scoop-ft")
    assert shell.type("runs").stdout == "no runs in this folder\n"
    assert shell.type("runs", "--json").stdout == "[]\n"


def test_workers_do_not_import_the_command_line() -> None:
    folder = Path(__file__).parents[2] / "scoop_ft"
    for package in ("worker", "root", "broker", "client"):
        for file in (folder / package).glob("*.py"):
            text = file.read_text()
            assert "import click" not in text, file
            assert "import rich" not in text, file


@pytest.mark.parametrize("words", ["two", "0", "1.5"])
def test_no_number_of_workers(shell: Shell, words: str) -> None:
    for command in (["run", "-n", words, "script.py"], ["worker", "-n", words, "somewhere"]):
        assert "is not a number of workers (1 to 100,000)" in refused(shell, *command)


def test_a_broker_that_does_not_answer_is_waited_for_with_a_word(shell: Shell) -> None:
    keys = make_run(shell)
    keys.make_keys()
    with socket.socket() as nobody:  # bound, and nobody listens
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        began = time.monotonic()
        process = shell.start("worker", address, "--keys", str(keys.keys), "-n", "1")
        while not shell.read("err"):
            assert time.monotonic() - began < 4.0, "silent"
            assert process.poll() is None
            time.sleep(0.05)
        assert shell.read("err") == f"scoop-ft: no broker answers yet at {address}; trying\n"
        assert process.wait(30) == 69
    assert f"nothing listens at {address}: is the run alive, and" in shell.read("err")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("10.88.0.254:5999", "an address begins with tcp://: tcp://10.88.0.254:5999, not 10.88.0."),
        ("http://here:80", "an address begins with tcp://, not http://: http://here:80"),
        ("tcp://here:99999", "a port is 1 to 65,535, not 99999: tcp://here:99999"),
        ("tcp://here:0", "a port is 1 to 65,535, not 0: tcp://here:0"),
        ("ipc://", "a socket's path has 1 to 100 bytes, not as ipc://"),
        ("tcp://here", "an address is tcp://HOST:PORT, not tcp://here"),
        ("tcp://ann@here:80", "an address is tcp://HOST:PORT, not tcp://ann@here:80"),
    ],
)
def test_what_is_no_address_is_refused_at_once(shell: Shell, where: str, said: str) -> None:
    keys = make_run(shell)
    keys.make_keys()
    began = time.monotonic()
    assert refused(shell, "worker", where, "--keys", str(keys.keys)).startswith(said)
    assert time.monotonic() - began < 8.0, "it tried"
    with pytest.raises(RunError, match=f"^{re.escape(said)}"):
        Executor(address=where, keys=str(keys.keys))


def test_a_name_that_nobody_knows_is_tried_for_a_while_and_named(shell: Shell) -> None:
    keys = make_run(shell)
    keys.make_keys()
    where = "tcp://nobody.invalid:5999"  # RFC 6761: there never is such a name
    done = shell.type("worker", where, "--keys", str(keys.keys))
    assert done.returncode == 69
    first, last = done.stderr.splitlines()
    unknown = r"no machine nobody\.invalid is known here \(.+\)"
    assert re.fullmatch(rf"scoop-ft: {unknown}; trying for 10 s", first)
    mend = f"mend the name in {where}, or this machine's network"
    assert re.fullmatch(f"{PREFIX}{unknown}: {mend}", last)


def test_a_command_needs_no_standard_error(tmp_path: Path) -> None:
    """Some daemons start others without one."""
    line = f"exec {shlex.quote(sys.executable)} -m scoop_ft runs 2>&-"
    done = subprocess.run(["/bin/sh", "-c", line], cwd=tmp_path, stdout=subprocess.PIPE)
    assert done.returncode == 0


@pytest.mark.parametrize("command", ["broker", "worker", "serve"])
def test_help_says_nothing_of_another_command(shell: Shell, command: str) -> None:
    done = shell.type(command, "--help")
    assert done.returncode == 0
    assert "resume" not in done.stdout
