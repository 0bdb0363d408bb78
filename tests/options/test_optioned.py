"""`scoop_ft.options`: what may be given, what is merged, and that it changes nothing of a call."""

from __future__ import annotations

import functools
import operator
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import scoop_ft
from scoop_ft import futures, options
from scoop_ft.client.scopes import Scope, define
from scoop_ft.ids import DIGEST_BYTES, ROOT_ID, ROOT_LINEAGE
from scoop_ft.optioned import Optioned, plain
from scoop_ft.wire.messages import PLAIN, Options


def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


@options(time_limit=60, priority=2)
def decorated(x: int) -> int:
    return x + 1


class Holder:
    k = 5

    @options(time_limit=3)
    def method(self, x: int) -> int:
        return self.k + x


# ---- what may be given -------------------------------------------------------------------------

WRONG: list[tuple[str, Any, type[Exception]]] = [
    ("time_limit", 0, ValueError),
    ("time_limit", -1.0, ValueError),
    ("time_limit", float("nan"), ValueError),
    ("time_limit", float("inf"), ValueError),
    ("time_limit", "60", TypeError),
    ("time_limit", True, TypeError),
    ("attempts", 0, ValueError),
    ("attempts", 1.5, TypeError),
    ("priority", "high", TypeError),
    ("priority", 10**9, ValueError),
    ("resources", ["gpu"], TypeError),
    ("resources", {"gpu": 0}, ValueError),
    ("resources", {"gpu": 0.5}, TypeError),
    ("resources", {1: 1}, TypeError),
    ("resources", {"g=u": 1}, ValueError),
    ("key", 5, TypeError),
    ("repeatable", "no", TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG)
def test_what_cannot_be_is_refused_by_name(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"options: {name}"):
        options(double, **{name: value})
    with pytest.raises(error, match=f"options: {name}"):
        options(**{name: value})


def test_attempts_and_not_repeatable_exclude_each_other_also_when_merged() -> None:
    with pytest.raises(ValueError, match="attempts must be 1 where repeatable is False"):
        options(double, attempts=2, repeatable=False)
    with pytest.raises(ValueError, match="attempts must be 1"):
        options(options(double, attempts=2), repeatable=False)
    assert define(options(double, attempts=1, repeatable=False)).options.attempts == 1


def test_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="a function is wanted, not int"):
        options(5, time_limit=1)  # type: ignore[type-var]


# ---- what it is --------------------------------------------------------------------------------


def test_called_directly_it_is_the_function() -> None:
    assert options(double, time_limit=1)(4) == 8
    assert decorated(1) == 2
    assert Holder().method(1) == 6
    assert decorated.__name__ == "decorated"
    assert options(double).__doc__ == "Twice as much."


def test_the_outer_one_wins_and_the_rest_is_kept() -> None:
    outer = options(options(double, time_limit=1, priority=1), time_limit=2, resources={"gpu": 1})
    assert define(outer).options == Options(time_limit_s=2, priority=1, resources={"gpu": 1})
    assert define(options(decorated, priority=9)).options == Options(time_limit_s=60, priority=9)
    assert plain(outer) is double


def test_options_that_say_nothing_are_none() -> None:
    assert define(options(double)).options is PLAIN
    assert define(options(double, priority=0)).options is PLAIN
    assert define(double).options is PLAIN


def test_what_the_user_changes_afterwards_is_not_seen() -> None:
    resources = {"gpu": 1}
    one = options(double, resources=resources)
    resources["gpu"] = 8
    assert define(one).options.resources == {"gpu": 1}


# ---- it changes nothing of a call --------------------------------------------------------------

SAME: list[tuple[Any, Any]] = [
    (options(double, time_limit=1), double),
    (options(options(double, time_limit=1), priority=1, key="k"), double),
    (options(operator.add, priority=1), operator.add),
    (options(functools.partial(pow, 2), priority=1), functools.partial(pow, 2)),
    (options("abc".join, priority=1), "abc".join),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_function_is_known_by_the_same_bytes(one: Any, other: Any) -> None:
    assert define(one)[:3] == define(other)[:3]
    assert define(one).code == define(other).code


TEXT = """
from scoop_ft import options
{decorator}
def work(x):
    return helper(x) + 1

{decorator}
def helper(x):
    return {body}

class Kind:
    {decorator}
    def method(self):
        return helper(1)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module of this text, with a decorator and without."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: list[str] = []

    def load(**words: str) -> ModuleType:
        import importlib

        sys.modules.pop("optioned_module", None)
        (tmp_path / "optioned_module.py").write_text(TEXT.format(**words))
        importlib.invalidate_caches()
        names.append("optioned_module")
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return importlib.import_module("optioned_module")
        finally:
            sys.dont_write_bytecode = before

    yield load
    for name in names:
        sys.modules.pop(name, None)


def test_a_decorated_function_is_the_one_that_it_was(module: Any) -> None:
    """Its name, its pickle, and what it means, itself and where others call it."""
    without = module(decorator="", body="x")
    plainly = define(without.work), define(without.Kind().method)
    with_ = module(decorator="@options(time_limit=60, priority=3)", body="x")
    assert type(with_.work) is Optioned
    decorated = define(with_.work), define(with_.Kind().method)
    for one, other in zip(decorated, plainly, strict=True):
        assert one[:3] == other[:3]
        assert one.options == Options(time_limit_s=60, priority=3)
    assert pickle.loads(decorated[0].blob) is with_.work
    assert define(options(with_.work, attempts=2))[:3] == plainly[0][:3]
    assert define(with_.work.func)[0]


def test_options_are_no_edit_but_an_edit_is_one(module: Any) -> None:
    from scoop_ft.code import own
    from scoop_ft.code.digest import meaning

    without = module(decorator="", body="x")
    assert own.is_own("optioned_module")
    before = meaning(without.work).code
    assert meaning(module(decorator="@options(time_limit=60)", body="x").work).code == before
    assert meaning(module(decorator="@options(time_limit=60)", body="x + 1").work).code != before


def test_it_travels_in_arguments_with_its_options() -> None:
    for one in (options(double, time_limit=2, key="k"), decorated):
        back = pickle.loads(pickle.dumps(one))
        assert (type(back), back.given, back(3)) == (Optioned, one.given, one(3))  # type: ignore[attr-defined]


# ---- batches -----------------------------------------------------------------------------------


def test_a_batch_has_calls_of_one_set_of_options(recorded: Any) -> None:
    limited = [options(double, time_limit=60) for _ in range(3)]  # equal, but not the same
    for func in (double, double, *limited, double, options(double, key="k"), double):
        futures.submit(func, 1)
    futures.map(options(double, priority=1), range(3))
    batches = recorded()
    assert [(m.count, m.options.time_limit_s, len(m.options.keys)) for m in batches] == [
        (2, 0, 0), (3, 60, 0), (1, 0, 0), (1, 0, DIGEST_BYTES), (1, 0, 0), (3, 0, 0),
    ]  # fmt: skip
    assert [m.first for m in batches] == [0, 2, 5, 6, 7, 8]
    assert batches[-1].options.priority == 1


def test_a_generator_that_submits_does_not_mix_its_calls_with_others(recorded: Any) -> None:
    def numbers() -> Iterator[int]:
        for n in range(3):
            futures.submit(options(double, time_limit=5), n)
            yield n

    futures.map(double, numbers())
    calls = [(m.options.time_limit_s, m.count) for m in recorded()]
    assert sum(count for _, count in calls) == 6
    assert sum(count for limit, count in calls if limit == 5) == 3


def test_keys_are_made_of_the_arguments(recorded: Any) -> None:
    futures.map(options(double, key=lambda x: f"k{x % 2}"), [1, 2, 3])
    futures.submit(options(double, key=lambda x, *, y=0: f"{x}{y}"), 1, y=2)
    with pytest.raises(TypeError, match="key must give a str, and gave int"):
        futures.submit(options(double, key=lambda x: x), 1)
    one, other = recorded()
    keys = [one.options.keys[i * DIGEST_BYTES : (i + 1) * DIGEST_BYTES] for i in range(3)]
    assert keys[0] == keys[2] != keys[1]
    assert len(other.options.keys) == DIGEST_BYTES


def test_map_reduce_keeps_the_options_and_the_calls(recorded: Any) -> None:
    def reduce(func: Any) -> None:
        with pytest.raises(StopSubmitting):
            futures.map_reduce(func, operator.add, range(5))

    reduce(double)
    reduce(options(double, time_limit=5))
    one, other = recorded()
    assert one.functions == other.functions
    assert other.options.time_limit_s == 5


class StopSubmitting(Exception):
    """Raised instead of waiting for ever."""


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Be a root whose broker never answers; gives what was submitted, a message a batch."""
    from scoop_ft.client import runtime
    from scoop_ft.client.link import Link
    from scoop_ft.client.session import Session
    from scoop_ft.wire.messages import Submit

    class Deaf:
        sockets: tuple[()] = ()

    session = Session(bytes(8), "root", "here")
    session.welcomed = True
    link = Link(session, Deaf(), lambda: None)  # type: ignore[arg-type]
    root = runtime.RootRuntime(session, link)
    monkeypatch.setattr(runtime, "_current", root)
    monkeypatch.setattr(link, "pump", lambda seconds=0.0: None)

    def wait(ready: Any, timeout_s: float | None = None) -> bool:
        raise StopSubmitting

    monkeypatch.setattr(link, "wait", wait)

    def batches() -> list[Submit]:
        root.flush()
        return [message for message, _ in session.outbox if type(message) is Submit]

    return batches


def test_a_child_of_a_limited_parent_has_at_most_its_limit() -> None:
    scope = Scope(ROOT_ID, ROOT_LINEAGE, replayed=True)
    scope.time_limit_s = 10.0
    limits = []
    for given in (None, 5, 20):
        function = define(options(double, time_limit=given))
        scope.options = function.options
        scope.add(function, (1,), {})
        closed = scope.close()
        assert closed is not None
        limits.append(closed.options.time_limit_s)
    assert limits == [10, 5, 10]


def test_it_is_exported_under_one_name() -> None:
    assert "options" in scoop_ft.__all__
    assert scoop_ft.options is options
