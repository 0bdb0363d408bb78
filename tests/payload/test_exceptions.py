"""An exception arrives as itself if at all possible, and always shows where it was raised."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import Any

import pytest

from scoop_ft.errors import RemoteError, RemoteTraceback, TaskLost, UnpicklableError
from scoop_ft.payload import Packer
from scoop_ft.raised import load_exception


class TwoArguments(Exception):
    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where


class Doubling(Exception):
    """Loads without complaint, but as something else."""

    def __init__(self, code: object = 1) -> None:
        super().__init__(f"code {code}")


class WithLock(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class LockInArguments(Exception):
    def __init__(self) -> None:
        super().__init__("text", threading.Lock())


class Slotted(Exception):
    __slots__ = ("code", "unset")

    def __init__(self, code: int) -> None:
        super().__init__("text")
        self.code = code


class NoText(Exception):
    def __str__(self) -> str:
        raise ValueError("never")


class NeedsKeyword(Exception):
    def __init__(self, *, name: str) -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return f"no {self.name}"


class MadeByOthers(Exception):
    """Has no arguments where it is raised, and some where it arrives: as pydantic's errors."""

    title = "?"

    def __new__(cls, *args: Any) -> MadeByOthers:
        if not args:
            raise TypeError("by others only")
        return super().__new__(cls, *args)

    @classmethod
    def of(cls, title: str) -> MadeByOthers:
        made = cls(title)
        made.args, made.title = (), title
        return made

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else self.title

    def __reduce__(self) -> Any:
        return MadeByOthers, (self.title,)


class Moment(Exception):
    """Its text is another one each time."""

    def __str__(self) -> str:
        return f"at {time.perf_counter_ns()}"


class EndsProcesses(Exception):
    def __str__(self) -> str:
        raise SystemExit(9)


def travel(error: BaseException, text: str = "trace") -> BaseException:
    packer = Packer()
    packer.add_exception(error, text)
    packed = packer.take()
    return load_exception(packed.payload, packed.frames)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("text", 3),
        FileNotFoundError(2, "No such file", "/x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        SystemExit(3),
        KeyboardInterrupt(),
        TwoArguments("here", "so"),
        Doubling(),
        WithLock("text"),
        NeedsKeyword(name="bread"),
        MadeByOthers.of("no bread"),
        UnpicklableError("text"),
        TaskLost.from_details({"function": "f", "signal": 9, "stderr": "a\nb"}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_arrives_as_itself(error: BaseException) -> None:
    found = travel(error)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert isinstance(found.__cause__, RemoteTraceback)


def test_one_whose_text_changes_arrives_as_itself() -> None:
    assert type(travel(Moment("x"))) is Moment


class Model:
    """An object without a text of its own: what stands for it says where it lies."""


@pytest.mark.parametrize("kind", [KeyError, RuntimeError, Slotted])
def test_one_that_carries_an_object_without_a_text_arrives_as_itself(
    kind: type[BaseException],
) -> None:
    sent = kind(Model())
    sent.args = (Model(), [Model()])
    arrived = travel(sent)
    assert type(arrived) is kind
    assert isinstance(arrived.args[0], Model)


def test_attributes_arrive_without_those_that_cannot() -> None:
    error = WithLock("text")
    error.code = 7  # type: ignore[attr-defined]
    assert vars(travel(error)) == {"code": 7}


def test_slots_arrive_beside_attributes() -> None:
    error = Slotted(5)
    error.where = "here"  # type: ignore[attr-defined]
    found = travel(error)
    assert isinstance(found, Slotted)
    assert (found.code, vars(found)) == (5, {"where": "here"})
    assert not hasattr(found, "unset")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups")
def test_a_group_arrives_with_members_that_need_help() -> None:
    inner = ExceptionGroup("inner", [WithLock("text")])  # noqa: F821
    arrived = travel(ExceptionGroup("outer", [NeedsKeyword(name="bread"), inner]))  # noqa: F821
    assert str(arrived) == "outer (2 sub-exceptions)"
    bread, group = arrived.exceptions  # type: ignore[attr-defined]
    assert (type(bread), str(bread)) == (NeedsKeyword, "no bread")
    assert type(group.exceptions[0]) is WithLock


def test_one_that_raises_what_ends_processes_is_no_end_of_this_one() -> None:
    arrived = travel(EndsProcesses("x"))
    assert isinstance(arrived, RemoteError)
    assert "its text cannot be made: SystemExit" in str(arrived)


def test_attributes_arrive() -> None:
    found: Any = travel(TwoArguments("here", "so"))
    assert found.where == "here"
    lost: Any = travel(TaskLost.from_details({"attempts": 3, "task": b"\x01" * 20}))
    assert lost.details["attempts"] == 3


def test_local_class_arrives() -> None:
    class Local(Exception):
        pass

    assert type(travel(Local("x"))) is Local  # loaded in the same process, it is the same


@pytest.mark.parametrize("error", [LockInArguments(), NoText("x")])
def test_stand_in(error: BaseException) -> None:
    found = travel(error)
    assert isinstance(found, RemoteError)
    assert type(error).__name__ in found.type_name
    assert type(error).__name__ in str(found)


def test_remote_traceback_is_shown() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        text = traceback.format_exc()
        found = travel(error, text)
    shown = "".join(traceback.format_exception(found))
    assert "KeyError: 'inner'" in shown
    assert "test_remote_traceback_is_shown" in shown
    assert shown.rstrip().endswith("ValueError: outer")


def test_one_that_cannot_be_loaded() -> None:
    packer = Packer()
    packer.add((ValueError("x"), "trace"), "f")
    found = load_exception(packer.take().payload.replace(b"ValueError", b"NoSuchErr_"))
    assert isinstance(found, RemoteError)
    assert "NoSuchErr_" in str(found)


def test_lost_task_says_what_is_known() -> None:
    stderr = "".join(f"line {n}\n" for n in range(30))
    lost = TaskLost.from_details(
        {
            "task": b"\x00" * 19 + b"\x07",
            "function": "program.f",
            "attempts": 3,
            "signal": 11,
            "host": "node7",
            "memory": 3 * 2**30,
            "stderr": stderr,
        }
    )
    first, _, *last = str(lost).splitlines()
    assert first == (
        "program.f was started 3 times and each time its worker died of SIGSEGV on node7 using "
        "3.0 GiB of memory; its neighbours were not harmed (task 000000000007)"
    )
    assert last == [f"  line {n}" for n in range(20, 30)]
    assert "a task was started once" in str(TaskLost.from_details({}))
