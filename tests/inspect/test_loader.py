"""The process that loads recorded values: what it dies of, what it prints, where it is."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest

from scoop_ft.inspect import loader
from scoop_ft.inspect.loader import Loader
from scoop_ft.inspect.questions import Item, Pair, Recorded
from scoop_ft.rundir import RunInfo

SCRIPT = """
import os, sys, threading, time

print("imported")

class Dies:
    def __reduce__(self):
        return die, ()

def die():
    print("last words", file=sys.stderr)
    os._exit(3)

def waits():
    time.sleep(600)

def lives_on():
    threading.Thread(target=time.sleep, args=(90,)).start()
    return "there"
"""


@pytest.fixture
def info(tmp_path: Path) -> RunInfo:
    (tmp_path / "script.py").write_text(SCRIPT)
    return RunInfo(
        run="r", script=str(tmp_path / "script.py"), args=[], cwd=str(tmp_path), seed=1, workers=1,
        python="", created=0.0, max_attempts=3, path=str(tmp_path),
    )  # fmt: skip


def value(it: object) -> Recorded:
    return Recorded(pickle.dumps(it), [])


def calling(name: str) -> Recorded:
    """A pickle that calls a function of the script when it is loaded."""
    return Recorded(f"c__main__\n{name}\n(tR.".encode(), [])


def item(name: str, recorded: Recorded) -> Item:
    return Item(name, "f", b"", pickle.dumps(()), [], recorded.payload, [])


def test_a_value_that_kills_it_costs_only_itself(
    info: RunInfo, capfd: pytest.CaptureFixture[str]
) -> None:
    pairs = [Pair(value(n), value(n + 1)) for n in range(7)]
    pairs[3] = Pair(value(3), calling("die"))
    with Loader(info, by_the_way=True) as values:
        found = values.compare(pairs)
    assert [one.where for one in found if one.where] == [
        [("", str(n), str(n + 1))] for n in (0, 1, 2, 4, 5, 6)
    ]
    assert found[3].old == found[3].new == "<cannot be loaded here: last words>"
    assert capfd.readouterr() == ("", "")  # what the modules print is kept back


def test_one_process_shows_and_compares(info: RunInfo, capfd: pytest.CaptureFixture[str]) -> None:
    with Loader(info) as values:
        (shown,) = values.show("jsonl", {}, [item("1", value(5))])
        (compared,) = values.compare([Pair(value([1, 2]), value([1, 3]))])
        died, lived = values.show("text", {}, [item("2", calling("die")), item("3", value(6))])
    assert shown == b'{"task": "1", "function": "f", "arguments": {}, "result": 5}\n'
    assert compared.where == [("[1]", "2", "3")]
    assert died == "cannot be loaded here: the process that loads it died of exit code 3"
    assert lived == b"arguments  none\nresult\n  6"
    out, err = capfd.readouterr()
    assert out == ""
    assert "last words" in err


def test_by_the_way_it_may_not_take_long(info: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "LIMIT_S", 3.0)
    began = time.monotonic()
    with Loader(info, by_the_way=True) as values:
        found = values.compare([Pair(value(1), calling("waits")), Pair(value(1), value(2))])
    assert time.monotonic() - began < 60
    assert {one.old for one in found} == {"<cannot be loaded here: not within 3 s>"}


def test_threads_that_values_leave_behind_are_not_waited_for(info: RunInfo) -> None:
    began = time.monotonic()
    with Loader(info) as values:
        (shown,) = values.show("text", {}, [item("1", calling("lives_on"))])
    assert shown == b"arguments  none\nresult\n  'there'"
    assert time.monotonic() - began < 60


def test_the_folder_need_not_be_there(info: RunInfo, tmp_path: Path) -> None:
    info.cwd = str(tmp_path / "gone")
    with Loader(info, by_the_way=True) as values:
        (found,) = values.compare([Pair(value(1), value(2))])
    assert found.where == [("", "1", "2")]
    with Loader(info) as values:
        (shown,) = values.show("text", {}, [item("1", value(1))])
    assert isinstance(shown, bytes)


def test_a_pickle_of_what_cannot_be_loaded_holds_text_only(info: RunInfo) -> None:
    with Loader(info) as values:
        (part,) = values.show("pickle", {}, [item("1", Recorded(b"no pickle", []))])
    assert isinstance(part, bytes)
    (found,) = pickle.loads(pickle.dumps([], 3)[:-1] + part + b"a.")
    assert list(found["result"]) == ["repr"]
    assert found["result"]["repr"].startswith("<cannot be loaded here: UnpicklingError")
    assert b"scoop_ft" not in part
