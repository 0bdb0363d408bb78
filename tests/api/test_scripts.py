"""The script: its surroundings, its threads, its end, its mistakes; and without a run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import PROGRAMS, Run, is_ok


def test_surroundings(run: Run) -> None:
    arguments = ("--flag", "-n", "two words", "")
    done = run("elsewhere/script.py", *arguments, stdin="Ada\nmore\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "name? ok\n"


def test_threads_of_the_root_and_what_nobody_waits_for(run: Run) -> None:
    assert is_ok(run("root_threads.py"))


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code(run: Run, code: int) -> None:
    done = run("ends.py", str(code))
    assert (done.returncode, done.stdout, done.stderr) == (code, "ok\n", "")


def test_no_standard_streams(nothing_left: None, tmp_path: Path) -> None:
    """As a daemon starts it: what is opened next must not take their places."""
    words = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "1", "--run-dir", "r"]
    program = PROGRAMS / "ends.py"
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh", *words, program, "streams"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "")


def test_a_standard_output_that_cannot_be_flushed(run: Run, tmp_path: Path) -> None:
    done = run("ends.py", "writes")
    assert (done.returncode, done.stderr) == (3, "")
    assert (tmp_path / "written").read_text() == "ok\nfrom a task\n"


def test_end_in_words(run: Run) -> None:
    done = run("ends.py", "text")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "in words\n")


@pytest.mark.parametrize(("with_", "code"), [("0", 0), ("3", 3), ("in words", 1)])
def test_a_task_that_ends_the_script_is_named(run: Run, with_: str, code: int) -> None:
    """Whoever calls `sys.exit` in a task may not know that it ends more than the task."""
    done = run("ends.py", "task-exits", with_)
    assert (done.returncode, done.stdout) == (code, "")
    assert "in leaves\n    sys.exit(code)" in done.stderr
    assert "futures.submit(leaves, " in done.stderr
    assert done.stderr.endswith("the script ends here: one of its tasks has raised SystemExit\n")


@pytest.mark.parametrize(
    ("how", "line", "error"),
    [
        ("exception", 'raise LookupError("of the script")', "LookupError: of the script"),
        ("task", "futures.submit(fails).result()", "ValueError: in the task"),
        ("unpicklable", "futures.submit(work, (k", "scoop_ft.errors.UnpicklableError: argument 1"),
    ],
)
def test_exceptions_end_at_the_users_line(run: Run, how: str, line: str, error: str) -> None:
    done = run("ends.py", how)
    assert (done.returncode, done.stdout) == (1, "")
    shown = done.stderr.splitlines()
    last = max(k for k, text in enumerate(shown) if text.startswith("  File "))
    assert shown[last].endswith(", in <module>")
    assert "ends.py" in shown[last]
    assert line in shown[last + 1]
    assert shown[-1].startswith(error)


def test_what_no_message_can_hold(run: Run) -> None:
    assert is_ok(run("too_large.py"))


@pytest.mark.parametrize(
    "whose", ["script", "submissions", "loop", "end", "tasks", "others", "nobody"]
)
def test_handlers_of_signals_that_raise(run: Run, whose: str) -> None:
    """They end what has set the timer, or nothing: no result is lost, no worker dies of one."""
    done = run("alarms.py", whose)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_workers_end_in_their_own_way_where_the_script_minds_sigterm(
    run: Run, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, sys\nfrom scoop_ft import futures\n"
        "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(3))\n"
        "if __name__ == '__main__':\n    list(futures.map(abs, range(8)))\n    print('ok')\n"
    )
    assert is_ok(run(script))


def test_forgotten_main_guard(run: Run) -> None:
    done = run("no_guard.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "no_guard.py" in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr.replace("'", '"')


def test_plain_python(serially: Run) -> None:
    """It works, one after the other, with exactly one warning."""
    done = serially("elsewhere/serial.py")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert done.stderr.count("Warning") == 1
    assert "scoop-ft run serial.py" in done.stderr


def test_a_task_may_send_itself_sigterm_and_handle_it(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, time\nfrom scoop_ft import futures\n"
        "def work(number):\n    heard = []\n"
        "    former = signal.signal(signal.SIGTERM, lambda *_: heard.append(number))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(0.1)\n"
        "    signal.signal(signal.SIGTERM, former)\n    return len(heard)\n"
        "if __name__ == '__main__':\n"
        "    assert list(futures.map(work, range(3))) == [1, 1, 1]\n    print('ok')\n"
    )
    assert is_ok(run(script))


@pytest.mark.parametrize("code", [0, 1])
def test_what_a_script_leaves_to_its_end_is_done(run: Run, tmp_path: Path, code: int) -> None:
    """Files that it has not closed are written, its exit functions called, its pools ended."""
    done = run("leaves_to_the_end.py", *["it has failed"] * code)
    assert done.returncode == code, done.stderr
    assert done.stdout == "script\nat exit 9\n"
    rows = [f"{x},{x * x}" for x in range(10)]
    assert (tmp_path / "results.csv").read_text().splitlines() == rows
    assert len((tmp_path / "elsewhere.txt").read_text().splitlines()) == 10
    assert not list(tmp_path.glob("of-the-script-*"))
    assert done.stderr.count("it has failed") == code


def test_what_a_script_has_written_is_there_when_it_is_interrupted(
    run: Run, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, time\nfrom scoop_ft import futures\n"
        "if __name__ == '__main__':\n    file = open('results.txt', 'w')\n"
        "    file.write(str(futures.submit(abs, -7).result()))\n"
        "    os.kill(os.getppid(), signal.SIGINT)\n"
        # Python itself may miss one that comes just as it begins to block.
        "    while True:\n        time.sleep(0.01)\n"
    )
    assert run(script).returncode == 130
    assert (tmp_path / "results.txt").read_text() == "7"


def test_the_scripts_own_excepthook_hears_of_what_ends_it(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\ndef hook(kind, error, trace):\n"
        "    print('heard', kind.__name__, error, trace.tb_lineno)\n    raise KeyError(1)\n"
        "if __name__ == '__main__':\n    sys.excepthook = hook\n"
        "    raise ValueError('of the script')\n"
    )
    done = run(script)
    assert (done.returncode, done.stdout) == (1, "heard ValueError of the script 7\n")
    assert "KeyError: 1" in done.stderr  # as Python has it: the hook's error, then the other one
    assert "ValueError: of the script" in done.stderr


@pytest.mark.parametrize("options", [[], ["--max-tasks-per-worker", "3"]])
def test_what_tasks_have_written_is_there_when_their_worker_has_ended(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    """Once, though tasks have forked; and a pipe that is full keeps no worker from ending."""
    assert is_ok(run("tasks_write.py", options=options))
    for name in ("log.txt", "rows.csv", "elsewhere.bin"):
        lines = (tmp_path / name).read_text().splitlines()
        assert sorted(int(line.split(",")[0]) for line in lines) == list(range(20)), name


def test_tasks_may_share_their_work_among_processes_of_their_own(run: Run) -> None:
    """Those do not know the name under which a worker has the script."""
    pytest.importorskip("joblib")
    assert is_ok(run("tasks_use_joblib.py"))


def test_who_stands_still_where_another_waits_for_the_thread_is_told(
    run: Run, tmp_path: Path
) -> None:
    """As for a lock that the other holds; but not who computes."""
    done = run("holds_a_lock.py", "asks")
    assert (done.returncode, done.stdout) == (0, "None False\n"), done.stderr
    line = (
        r"scoop-ft: holds_a_lock\.asks \(task \w+:0\) has stood still at holds_a_lock\.py:36 "
        r"for \d+ s in the worker with pid \d+, where holds_a_lock\.holds \(task \w+:0\), "
        r"whose results have come, cannot go on before; [^\n]*\n"
    )
    assert re.fullmatch(line, done.stderr), done.stderr
    shutil.rmtree(tmp_path / "met")
    done = run("holds_a_lock.py", "computes")
    assert (done.returncode, done.stdout, done.stderr) == (0, "None None\n", "")
