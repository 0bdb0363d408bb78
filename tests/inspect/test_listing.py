"""``journal ls`` and ``show``: each task, each failure with its traceback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import COMMAND, type_in

Look = Callable[..., str]
NAMES = ["1", "2", "3", "4", "5", "5.1", "5.2", "5.3", "6", "7", "8"]


def test_each_task_has_its_line(look: Look) -> None:
    rows = [line.split(maxsplit=2) for line in look("ls").splitlines()]
    listed = [row[0] for row in rows]
    assert [name for name in NAMES if not name.startswith("5.")] == [
        name for name in listed if not name.startswith("5.")
    ]
    states = {row[0]: row[1] for row in rows}
    assert [states[str(number)] for number in range(1, 9)] == [
        "done", "done", "failed", "done", "failed", "done", "done", "failed",
    ]  # fmt: skip
    assert rows[0][2] == "study.scale"
    assert "lambda" in rows[listed.index("6")][2]


def test_a_function_is_chosen_with_and_without_its_module(look: Look) -> None:
    chosen = look("ls", "--function", "build").splitlines()
    assert [line.split()[0] for line in chosen] == ["2", "3"]
    assert look("ls", "--function", "study.build").splitlines() == chosen
    assert look("ls", "--function", "nothing") == ""


def test_what_failed_is_listed_with_its_traceback(look: Look) -> None:
    text = look("ls", "--failed")
    heads = [line.split()[:3] for line in text.splitlines() if not line.startswith(" ")]
    assert heads == [
        ["3", "failed", "study.build"],
        ["5", "failed", "study.collapse"],
        ["8", "failed", "study.kill"],
    ]
    assert "    lab.Stuck: no size\n" in text
    assert 'raise lab.Stuck("no size\\nin two lines")' in text
    assert "    | in two lines\n" in text
    assert "    ValueError: 6 is not enough\n" in text
    assert "(its worker died 3 times)" in text
    assert "each time its worker died of SIGKILL" in text


def test_as_json_each_line_is_one_task(look: Look) -> None:
    rows = [json.loads(line) for line in look("ls", "--json").splitlines()]
    assert rows[2] == {"task": "3", "state": "failed", "function": "study.build", "attempts": 0}
    failed = [json.loads(line) for line in look("ls", "--json", "--failed").splitlines()]
    assert [row["task"] for row in failed] == ["3", "5", "8"]
    assert failed[0]["exception"] == "lab.Stuck: no size"
    assert failed[0]["traceback"].startswith("Traceback (most recent call last):")
    assert failed[2]["attempts"] == 3


def test_a_task_is_shown_with_all_that_is_known(look: Look) -> None:
    text = look("show", "1")
    assert "function   study.scale\n" in text
    assert "  x = 1.5\n  by = 3\n" in text
    assert "result\n  4.5\n" in text
    assert "parent     the script\n" in text
    assert "result\n  Model(4)\n" in look("show", "2")
    failed = look("show", "5")
    assert "  count = 3\n" in failed
    assert "  ValueError: 6 is not enough\n" in failed
    assert len(look("show", "7")) < 4000  # an array of 20,000 numbers


def test_a_task_that_is_not_there_is_refused_in_one_line(made: Path) -> None:
    for name, said in (("9", "there is no task 9"), ("x", "x is no name of a task")):
        done = type_in(made, "journal", "show", "r", name)
        assert done.returncode == 2
        assert done.stderr.startswith(f"scoop-ft: error: {said}")
        assert done.stderr.count("\n") == 1
    done = type_in(made, "journal", "ls", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_without_the_users_classes_all_but_them_is_readable(changed: Path) -> None:
    before = type_in(changed, "journal", "ls", "r", "--failed").stdout
    (changed / "lab.py").unlink()
    (changed / "study.py").unlink()
    assert type_in(changed, "journal", "ls", "r", "--failed").stdout == before
    model = type_in(changed, "journal", "show", "r", "2")
    assert "<lab.Model, which cannot be imported here>" in model.stdout, model.stderr
    stuck = type_in(changed, "journal", "show", "r", "3").stdout
    assert "lab.Stuck: no size" in stuck
    assert "result\n  4.5\n" in type_in(changed, "journal", "show", "r", "1").stdout


@pytest.mark.parametrize("words", ["run --help", "resume --help", "explain r"])
def test_a_terminal_that_lacks_a_character_is_shown_the_rest(made: Path, words: str) -> None:
    poor = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [*COMMAND, *words.split()],
        cwd=made,
        env=poor,
        capture_output=True,
        encoding="latin-1",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_minds_a_reader_that_goes_away(made: Path) -> None:
    for words in (["ls", "r"], ["export", "r"], ["show", "r", "1"]):
        with subprocess.Popen(
            [*COMMAND, "journal", *words], cwd=made, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b"", words
            assert process.wait() == 0


@pytest.mark.parametrize("what", ["ls", "export"])
def test_nothing_is_changed_by_looking(made: Path, look: Look, what: str) -> None:
    def stamps() -> dict[str, int]:
        paths = [path for path in (made / "r").rglob("*") if path.name != "lock.mdb"]
        return {str(path): path.stat().st_mtime_ns for path in paths if path.is_file()}

    before = stamps()
    look(what)
    assert stamps() == before


def test_without_a_name_it_is_the_last_run_of_the_folder(changed: Path, tmp_path: Path) -> None:
    (changed / ".scoop-ft").mkdir()
    (changed / "r").rename(changed / ".scoop-ft" / "r")
    named = type_in(changed, "journal", "ls", "r")
    assert type_in(changed, "journal", "ls").stdout == named.stdout != ""
    shown = type_in(changed, "journal", "show", "3")
    assert "no size" in shown.stdout
    (tmp_path / "empty").mkdir()
    nothing = type_in(tmp_path / "empty", "journal", "ls")
    assert nothing.returncode == 2
    assert "no run found in this folder" in nothing.stderr


def test_an_exception_of_the_script_is_named_as_its_author_knows_it(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text("""
from scoop_ft import futures

class Stuck(Exception):
    pass

def solve(x):
    try:
        raise Stuck("inner")
    except Stuck as error:
        raise Stuck(x) from error

if __name__ == "__main__":
    futures.submit(solve, 7).result()
""")
    done = type_in(tmp_path, "run", "-q", "-n", "1", "study.py")
    shown = type_in(tmp_path, "journal", "ls", "--failed").stdout
    for text in (done.stderr, shown):
        assert "study.Stuck: inner" in text
        assert "study.Stuck: 7" in text
        assert "__mp_main__" not in text


def test_explain_calls_the_state_of_a_task_as_the_list_does(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text("""
from scoop_ft import futures, options

if __name__ == "__main__":
    futures.submit(abs, -1).result()
    futures.submit(options(abs, resources={"gpu": 1}), -2)
""")
    type_in(tmp_path, "run", "-q", "-n", "1", "study.py")
    lines = type_in(tmp_path, "journal", "ls").stdout.splitlines()
    told = [json.loads(type_in(tmp_path, "explain", n, "--json").stdout)["state"] for n in "12"]
    assert told == ["done", "pending"] == [line.split()[1] for line in lines]
