"""What the standard library asks of any executor, and what it promises of its futures."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import multiprocessing
import threading
import time
import weakref
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from pathlib import Path

import pytest

from scoop_ft import Executor, Pool
from scoop_ft.errors import RemoteTraceback, UnpicklableError

from ..waiting import eventually
from . import calls
from .conftest import LIMIT_S, Program

# ---- submit and futures --------------------------------------------------------------------------


def test_submit(shared: Executor) -> None:
    assert isinstance(shared, concurrent.futures.Executor)
    future = shared.submit(calls.power, 2, exponent=8)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(LIMIT_S) == 256
    assert future.done()
    assert not future.running()
    assert not future.cancelled()
    assert future.exception() is None


def test_keywords_named_like_ours(shared: Executor) -> None:
    keywords = {"self": 1, "fn": 2, "timeout": 3}
    assert shared.submit(dict, **keywords).result(LIMIT_S) == keywords  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        shared.submit()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        shared.submit(fn=calls.square)  # type: ignore[call-arg]


def test_an_exception_comes_with_its_remote_traceback(shared: Executor) -> None:
    future = shared.submit(calls.fail, "oh")
    with pytest.raises(ValueError, match="oh") as caught:
        future.result(LIMIT_S)
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "in fail" in str(caught.value.__cause__)


def test_what_cannot_be_pickled_is_refused_at_once(shared: Executor) -> None:
    with pytest.raises(UnpicklableError, match="lock"):
        shared.submit(calls.square, threading.Lock())  # type: ignore[arg-type]
    with pytest.raises(UnpicklableError):
        list(shared.map(calls.square, [threading.Lock()]))
    assert shared.submit(calls.square, 3).result(LIMIT_S) == 9


def test_a_future_that_is_handed_on_says_what_to_send(shared: Executor) -> None:
    future = shared.submit(calls.square, 3)
    with pytest.raises(UnpicklableError, match=r"args\[0\] is a .*Future .*send its result\(\)"):
        shared.submit(calls.square, future)  # type: ignore[arg-type]


def test_a_result_that_cannot_be_pickled_is_an_error_of_the_call(shared: Executor) -> None:
    with pytest.raises(UnpicklableError):
        shared.submit(threading.Lock).result(LIMIT_S)


def test_lambdas_and_closures_travel(shared: Executor) -> None:
    factor = 3
    assert shared.submit(lambda x: x * factor, 4).result(LIMIT_S) == 12
    factor = 5
    assert shared.submit(lambda x: x * factor, 4).result(LIMIT_S) == 20


def test_callbacks(shared: Executor) -> None:
    seen: list[object] = []
    called = threading.Event()
    future = shared.submit(calls.square, 5)
    future.add_done_callback(lambda f: (seen.append(f.result()), called.set()))
    assert called.wait(LIMIT_S)
    future.add_done_callback(lambda f: seen.append(f))
    assert seen == [25, future]


def test_a_callback_may_submit_and_wait(shared: Executor) -> None:
    answer: concurrent.futures.Future[int] = concurrent.futures.Future()

    def again(future: concurrent.futures.Future[int]) -> None:
        answer.set_result(shared.submit(calls.square, future.result()).result(LIMIT_S))

    shared.submit(calls.square, 3).add_done_callback(again)
    assert answer.result(LIMIT_S) == 81


def test_a_result_that_is_late(own: Executor, tmp_path: Path) -> None:
    future = own.submit(calls.wait_for, str(tmp_path / "go"))
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0.05)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.exception(timeout=0.05)
    (tmp_path / "go").touch()
    assert future.result(LIMIT_S) == str(tmp_path / "go")


def test_running_and_cancel(own: Executor, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    busy = [own.submit(calls.wait_for, go) for _ in range(2)]
    eventually(lambda: all(future.running() for future in busy))
    waiting = [own.submit(calls.square, n) for n in range(20)]
    last = waiting[-1]
    assert last.cancel()
    assert last.cancel()
    assert last.cancelled()
    assert last.done()
    with pytest.raises(concurrent.futures.CancelledError):
        last.result(LIMIT_S)
    assert not busy[0].cancel()
    assert busy[0].running()
    (tmp_path / "go").touch()
    assert [future.result(LIMIT_S) for future in busy] == [go, go]
    assert [future.result(LIMIT_S) for future in waiting[:-1]] == [n * n for n in range(19)]


def test_a_call_that_runs_is_given_up_with_its_subtree(own: Executor) -> None:
    busy = [own.submit(calls.pause, 1000.0) for _ in range(2)]
    deadline = time.monotonic() + LIMIT_S
    while not all(future.running() for future in busy):
        assert time.monotonic() < deadline
    assert not busy[0].cancel()
    assert all(future.cancel(subtree=True) for future in busy)
    assert all(future.cancelled() for future in busy)
    began = time.monotonic()
    own.shutdown()  # nobody waits for them
    assert time.monotonic() - began < 20


def test_calls_that_hang_and_were_given_up_do_not_keep_their_workers(own: Executor) -> None:
    busy = [own.submit(calls.pause, 1000.0) for _ in range(2)]
    eventually(lambda: all(future.running() for future in busy))
    assert all(future.cancel(subtree=True) for future in busy)
    assert list(own.map(calls.square, range(9), timeout=LIMIT_S)) == [n * n for n in range(9)]


def test_calls_that_hang_below_one_that_was_given_up_do_not_keep_theirs(
    own: Executor, tmp_path: Path
) -> None:
    tree = own.submit(calls.hang_below, str(tmp_path), 2)
    eventually(lambda: all((tmp_path / f"ran-{x}").exists() for x in range(2)))
    assert tree.cancel(subtree=True)
    assert list(own.map(calls.square, range(9), timeout=LIMIT_S)) == [n * n for n in range(9)]


def test_cancelled_futures_wake_those_who_wait(own: Executor, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    busy = [own.submit(calls.wait_for, go) for _ in range(2)]
    late = own.submit(calls.square, 2)
    called = threading.Event()
    late.add_done_callback(lambda f: called.set())
    threading.Timer(0.2, late.cancel).start()
    done, _ = concurrent.futures.wait([late], LIMIT_S)
    assert done == {late}
    assert called.is_set()
    (tmp_path / "go").touch()
    concurrent.futures.wait(busy, LIMIT_S)


# ---- wait and as_completed -----------------------------------------------------------------------


def test_wait(own: Executor, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    late = own.submit(calls.wait_for, go)
    quick = own.submit(calls.square, 2)
    done, not_done = concurrent.futures.wait([late, quick], LIMIT_S, FIRST_COMPLETED)
    assert (done, not_done) == ({quick}, {late})
    bad = own.submit(calls.fail, "x")
    done, not_done = concurrent.futures.wait([late, bad], LIMIT_S, FIRST_EXCEPTION)
    assert (done, not_done) == ({bad}, {late})
    done, not_done = concurrent.futures.wait([late, quick], 0.05)
    assert (done, not_done) == ({quick}, {late})
    (tmp_path / "go").touch()
    assert concurrent.futures.wait([late, quick, bad], LIMIT_S, ALL_COMPLETED).not_done == set()


def test_as_completed(own: Executor, tmp_path: Path) -> None:
    late = own.submit(calls.wait_for, str(tmp_path / "go"))
    quick = [own.submit(calls.square, n) for n in range(50)]
    completed = concurrent.futures.as_completed([late, *quick], LIMIT_S)
    first = set(itertools.islice(completed, 50))
    assert first == set(quick)
    (tmp_path / "go").touch()
    assert list(completed) == [late]
    with pytest.raises(concurrent.futures.TimeoutError):
        list(concurrent.futures.as_completed([own.submit(calls.pause, 1.0)], 0.05))


# ---- the end -------------------------------------------------------------------------------------


def test_shutdown_waits(own: Executor) -> None:
    futures = [own.submit(calls.pause, 0.1) for _ in range(4)]
    results = own.map(calls.square, range(100))
    own.shutdown()
    assert all(future.done() for future in futures)
    assert list(results) == [n * n for n in range(100)]
    with pytest.raises(RuntimeError, match="after shutdown"):
        own.submit(calls.square, 1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        own.map(calls.square, [1])
    own.shutdown()


def test_shutdown_without_waiting(own: Executor) -> None:
    future = own.submit(calls.pause, 0.3)
    own.shutdown(wait=False)
    assert future.result(LIMIT_S) == 0.3


def test_shutdown_cancels_what_has_not_started(own: Executor, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    busy = [own.submit(calls.wait_for, go) for _ in range(2)]
    while not all(future.running() for future in busy):
        pass
    rest = [own.submit(calls.square, n) for n in range(100)]
    threading.Timer(0.3, (tmp_path / "go").touch).start()
    own.shutdown(cancel_futures=True)
    assert [future.result(0) for future in busy] == [go, go]
    assert all(future.done() for future in rest)
    assert sum(future.cancelled() for future in rest) > 50


def test_it_may_be_told_to_cancel_after_it_was_shut_down(own: Executor) -> None:
    futures = [own.submit(calls.pause, 0.2) for _ in range(50)]
    own.shutdown(wait=False)
    own.shutdown(wait=True, cancel_futures=True)
    assert all(future.done() for future in futures)
    assert sum(future.cancelled() for future in futures) > 30


def test_nothing_is_kept_alive(shared: Executor) -> None:
    class Thing:
        pass

    thing = Thing()
    there = weakref.ref(thing)
    future = shared.submit(id, thing)
    future.result(LIMIT_S)
    del thing, future
    gc.collect()
    assert there() is None


def test_arguments() -> None:
    for number in (0, -1):
        with pytest.raises(ValueError, match="max_workers"):
            Executor(max_workers=number)
    with pytest.raises(TypeError, match="callable"):
        Executor(initializer=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="durability"):
        Executor(durability="some")
    with pytest.raises(ValueError, match="edited"):
        Executor(edited="no")
    with pytest.raises(ValueError, match="address"):
        Executor(address="a", run_dir="b")


# ---- what the standard library's have, and ours do not -------------------------------------------


def test_arguments_that_are_not_to_be_had_say_what_to_do(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with pytest.raises(TypeError, match="Executor takes no mp_context: leave it out: each worker"):
        Executor(2, spawn, run_dir=tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"takes no max_tasks_per_child: .*--max-tasks-per-worker"):
        Executor(2, max_tasks_per_child=3, run_dir=tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"takes no maxtasksperchild: .*--max-tasks-per-worker"):
        Pool(2, None, (), 3, run_dir=tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Pool takes no context: leave it out"):
        Pool(2, context=spawn, run_dir=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_an_async_function_is_refused_as_it_is_submitted(shared: Executor, tmp_path: Path) -> None:
    with pytest.raises(UnpicklableError, match="asleep is async: "):
        shared.submit(calls.asleep, 1)
    with pytest.raises(UnpicklableError, match="asleep is async: "):
        shared.map(calls.asleep, [1])
    with (
        Executor(1, initializer=calls.set_state, initargs=(str(tmp_path), 1)) as executor,
        pytest.raises(UnpicklableError, match="asleep is async: "),
    ):
        executor.submit(calls.asleep, 1)


CACHED = """
import functools, os
from scoop_ft import Executor

@functools.lru_cache
def table(size):
    open(f"made-{os.getpid()}", "a").write("x")
    return list(range(size))

class Model:
    @functools.cached_property
    def half(self):
        return 0.5
    @functools.lru_cache
    def scaled(self, x):
        return self.half * x

def look_up(x):
    return table(9)[x] + Model().scaled(2)

with Executor(max_workers=1) as executor:
    print(list(executor.map(look_up, range(4))), executor.submit(table, 2).result())
"""


def test_cached_functions_travel_as_others_do(program: Program) -> None:
    """As in a notebook: there is nothing that a worker could import."""
    program.write(CACHED)
    out, err, code = program.run()
    assert (out, err, code) == ("[1.0, 2.0, 3.0, 4.0] [0, 1]\n", "", 0)
    made = [path.read_text() for path in program.folder.glob("made-*")]
    assert made == ["xx"], "once for all calls of a function"


SERIAL = "from scoop_ft import Executor, futures; print(*futures.map(abs, [-1]))"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["program.py"], "start it with 'scoop-ft run program.py'"),
        (["-m", "program"], "open a scoop_ft.Executor() before"),
        (["-c", SERIAL], "open a scoop_ft.Executor() before"),  # as in a notebook
    ],
)
def test_who_computes_serially_is_told_what_would_not(
    program: Program, command: list[str], told: str
) -> None:
    program.write(SERIAL)
    out, err, code = program.run(*command)
    assert (out, code) == ("1\n", 0)
    assert f"running serially and without a journal: {told}" in err


SLOTTED = """
import dataclasses, typing
from scoop_ft import Executor

class Pair(typing.NamedTuple):
    left: int
    right: int = 6

@dataclasses.dataclass(slots=True)
class Point:
    x: int
    tags: list

class Named:
    __slots__ = "name", "__dict__", "__weakref__"

class Far(Point):
    __slots__ = ("__hidden",)
    def hide(self, value):
        self.__hidden = value
        return self
    def show(self):
        return self.__hidden

def same(thing):
    return thing

with Executor(1) as executor:
    named = Named()
    named.name, named.more = "a", "b"
    point, named, far = executor.map(same, [Point(1, [2]), named, Far(3, []).hide(4)])
    print(point, type(point) is Point, named.name, named.more, far.show(), vars(named))
    print(executor.submit(lambda: hasattr(Point(1, []), "__dict__")).result())
    print(executor.submit(same, Pair(5)).result())
"""


def test_objects_with_slots_come_back_where_their_class_travels_by_value(program: Program) -> None:
    program.write(SLOTTED)
    out, err, _ = program.run()
    expected = "Point(x=1, tags=[2]) True a b 4 {'more': 'b'}\nFalse\nPair(left=5, right=6)\n"
    assert out == expected, err
