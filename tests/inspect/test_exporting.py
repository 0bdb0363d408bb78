"""``journal export``: the results so far, as lines of JSON or as a list of objects."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scoop_chaos.runs import RunProcess

from ..waiting import eventually
from .conftest import PROGRAMS, type_in

Look = Callable[..., str]

WAITS = """
import os, time
from scoop_ft import futures

def square(x):
    return x * x

def wait(x):
    open("waits", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return x

def parent(n):
    found = sum(futures.map(square, range(n)))
    return found + futures.submit(wait, 1).result()

if __name__ == "__main__":
    first = futures.submit(square, 3)
    second = futures.submit(parent, 4)
    print(first.result() + second.result())
"""


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_of_json_hold_calls_and_results(look: Look) -> None:
    found = {row["task"]: row for row in rows(look("export"))}
    assert list(found) == ["1", "2", "4", "6", "7"]
    assert found["1"] == {
        "task": "1", "function": "study.scale", "arguments": {"x": 1.5, "by": 3}, "result": 4.5,
    }  # fmt: skip
    assert found["2"]["result"] == {"repr": "Model(4)"}
    assert found["6"]["arguments"] == {"a": "x", "rest": [1, None]}
    assert found["6"]["result"] == {"x": [1, None]}
    assert found["7"]["result"] == [float(n) for n in range(20_000)]


def test_a_pickle_gives_back_a_list_of_the_objects(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "results.pickle"
    done = type_in(made, "journal", "export", "r", "--format", "pickle", "-o", target)
    assert done.stdout == f"5 results in {target}\n", done.stderr
    check = (
        "import pickle, sys; found = pickle.load(open(sys.argv[1], 'rb')); "
        "print([row['task'] for row in found], found[1]['result'].size, "
        "found[4]['result'].sum(), found[0])"
    )
    said = subprocess.run(
        [sys.executable, "-c", check, target], cwd=made, capture_output=True, text=True, check=True
    ).stdout
    assert said == (
        "['1', '2', '4', '6', '7'] 4 199990000.0 {'task': '1', 'function': 'study.scale', "
        "'arguments': {'x': 1.5, 'by': 3}, 'result': 4.5}\n"
    )


def test_what_the_script_defines_belongs_to_the_main_module_of_whoever_loads_it(
    tmp_path: Path,
) -> None:
    defines = (
        "import enum\nfrom dataclasses import dataclass\n"
        "class Colour(enum.Enum):\n    RED = 1\n"
        "def half(x):\n    return x / 2\n"
        "@dataclass(frozen=True)\nclass Found:\n    x: float\n    colour: Colour\n    how: object\n"
        "    class Part:\n        pass\n"
    )
    (tmp_path / "s.py").write_text(
        f"from scoop_ft import futures\n{defines}"
        "def find(how, x):\n    return [Found(how(x), Colour.RED, how), Found.Part()]\n\n"
        'if __name__ == "__main__":\n    list(futures.map(find, [half] * 2, [1, 3]))\n'
    )
    (tmp_path / "looks.py").write_text(
        f"import pickle\n{defines}"
        "found = [row['result'] for row in pickle.load(open('pk.pkl', 'rb'))]\n"
        "assert [one for one, _ in found] == "
        "[Found(0.5, Colour.RED, half), Found(1.5, Colour.RED, half)]\n"
        "assert all(type(part) is Found.Part for _, part in found)\n"
    )
    assert type_in(tmp_path, "run", "-q", "-n", "1", "--run-dir", "r", "s.py").returncode == 0
    done = type_in(tmp_path, "journal", "export", "r", "--format", "pickle", "-o", "pk.pkl")
    assert done.stdout == "2 results in pk.pkl\n", done.stderr
    loaded = subprocess.run(
        [sys.executable, "looks.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr


def test_nested_results_that_are_there_are_taken_too(look: Look) -> None:
    nested = {row["task"]: row["result"] for row in rows(look("export", "--all"))}
    listed = [line.split()[:2] for line in look("ls").splitlines()]
    assert list(nested) == [name for name, state in listed if state == "done"]


def test_a_file_appears_whole_or_not_at_all(made: Path, tmp_path: Path) -> None:
    done = type_in(made, "journal", "export", "r", "-o", tmp_path / "no" / "file")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write" in done.stderr
    target = tmp_path / "file.jsonl"
    target.write_text("older")
    assert type_in(made, "journal", "export", "r", "-o", target).returncode == 0
    assert len(rows(target.read_text())) == 5
    assert os.listdir(tmp_path) == ["file.jsonl"]


def test_what_is_no_plain_file_is_written_to_and_stays_what_it_is(
    made: Path, tmp_path: Path
) -> None:
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    link.symlink_to(target)
    read = tmp_path / "read"
    with open(read, "wb") as file, subprocess.Popen(["cat", pipe], stdout=file) as reader:
        done = type_in(made, "journal", "export", "r", "-o", pipe)
        assert done.returncode == 0, done.stderr
        if not pipe.is_fifo():
            reader.kill()
        reader.wait(20)
    assert pipe.is_fifo()
    assert type_in(made, "journal", "export", "r", "-o", link).returncode == 0
    assert link.is_symlink()
    assert read.read_bytes() == target.read_bytes() != b""


def test_a_disk_that_is_full_is_named(made: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    done = type_in(made, "journal", "export", "r", "-o", full)
    assert full.is_symlink()
    assert (done.returncode, done.stderr) == (
        2, f"scoop-ft: error: no room for {full}: make some, and export again\n"
    )  # fmt: skip


def test_a_value_that_kills_whoever_loads_it_costs_only_itself(tmp_path: Path) -> None:
    shutil.copy(PROGRAMS / "lab.py", tmp_path)
    (tmp_path / "script.py").write_text(
        "import lab\nfrom scoop_ft import futures\n\n"
        "def make(n):\n    return lab.Deadly() if n == 3 else n\n\n"
        'if __name__ == "__main__":\n    print(len(list(futures.map(make, range(10)))))\n'
    )
    ran = type_in(tmp_path, "run", "-q", "-n", "2", "--run-dir", "r", "script.py")
    assert ran.stdout == "10\n", ran.stderr
    done = type_in(tmp_path, "journal", "export", "r")
    found = rows(done.stdout)
    assert [row["result"] for row in found if row["task"] != "4"] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert "died of signal 6" in found[3]["result"]["repr"]


@pytest.mark.usefixtures("nothing_left")
def test_results_are_taken_out_of_a_run_that_runs_and_of_one_that_was_killed(
    tmp_path: Path,
) -> None:
    (tmp_path / "script.py").write_text(WAITS)
    run = RunProcess(tmp_path)
    try:
        run.start("-q", "-n", "2", "script.py")
        eventually((tmp_path / "waits").exists)
        eventually(lambda: len(_exported(tmp_path, run)) == 1)
        assert _exported(tmp_path, run)[0]["result"] == 9
        run.kill_everything()
        assert _exported(tmp_path, run)[0]["result"] == 9
        (tmp_path / "go").touch()
        assert run.resume("-q").finish() == "24\n"
        assert [row["result"] for row in _exported(tmp_path, run)] == [9, 15]
    finally:
        run.end()


def _exported(folder: Path, run: RunProcess) -> list[dict[str, Any]]:
    from scoop_ft.rundir import find_runs

    done = type_in(folder, "journal", "export", find_runs(folder)[-1].path)
    return rows(done.stdout)


def test_the_pickle_is_streamed_and_still_one_list(tmp_path: Path) -> None:
    """Many more results than are read at a time, with parts that each refers to twice."""
    (tmp_path / "script.py").write_text(
        "from scoop_ft import futures\n\ndef twice(n):\n    part = [n]\n    return part, part\n\n"
        'if __name__ == "__main__":\n    print(len(list(futures.map(twice, range(12000)))))\n'
    )
    ran = type_in(tmp_path, "run", "-q", "-n", "2", "--run-dir", "r", "script.py")
    assert ran.returncode == 0, ran.stderr
    target = tmp_path / "out"
    done = type_in(tmp_path, "journal", "export", "r", "--format", "pickle", "-o", target)
    assert done.returncode == 0, done.stderr
    found = pickle.loads(target.read_bytes())
    assert [row["result"] for row in found] == [([n], [n]) for n in range(12000)]
    assert all(row["result"][0] is row["result"][1] for row in found)
    assert [row["task"] for row in found] == [str(n + 1) for n in range(12000)]
