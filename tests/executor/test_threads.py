"""An executor used by many threads, by asyncio, and inside its own tasks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoop_ft import Executor, Pool

from ..waiting import eventually
from . import calls
from .conftest import LIMIT_S


def test_who_looks_for_the_number_of_workers_finds_it(shared: Executor) -> None:
    """As nautilus, dask and others do, under the standard library's names."""
    assert shared._max_workers == 2
    with Pool(executor=shared) as pool:
        assert pool._processes == 2
    assert shared.submit(calls.workers_inside).result(LIMIT_S) == 1


def test_many_threads_submit(shared: Executor) -> None:
    found: dict[int, list[int]] = {}

    def submit(k: int) -> None:
        futures = [shared.submit(calls.square, k * 1000 + n) for n in range(300)]
        found[k] = [future.result(LIMIT_S) for future in futures]

    threads = [threading.Thread(target=submit, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert found == {k: [(k * 1000 + n) ** 2 for n in range(300)] for k in range(8)}


def test_an_iterable_may_wait_for_another_thread_that_submits(shared: Executor) -> None:
    """The lock of whoever submits is not held while user code runs."""

    def numbers() -> Iterator[int]:
        found: list[int] = []
        other = threading.Thread(
            target=lambda: found.append(shared.submit(calls.square, 3).result(LIMIT_S))
        )
        other.start()
        other.join(LIMIT_S)
        yield from found

    assert list(shared.map(calls.square, numbers())) == [81]


def test_asyncio(shared: Executor) -> None:
    async def main() -> tuple[int, list[int], str]:
        loop = asyncio.get_running_loop()
        one = await loop.run_in_executor(shared, calls.square, 12)
        many = await asyncio.gather(
            *(asyncio.wrap_future(shared.submit(calls.square, n)) for n in range(200))
        )
        try:
            await loop.run_in_executor(shared, calls.fail, "async")
        except ValueError as error:
            return one, many, str(error)
        raise AssertionError("no error")

    assert asyncio.run(main()) == (144, [n * n for n in range(200)], "async")


def test_asyncio_cancels(own: Executor, tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        go = str(tmp_path / "go")
        busy = [loop.run_in_executor(own, calls.wait_for, go) for _ in range(2)]
        while not (tmp_path / "go").exists():
            late = loop.run_in_executor(own, calls.note, str(tmp_path), 9)
            await asyncio.sleep(0.5)
            late.cancel()
            await asyncio.sleep(0)
            (tmp_path / "go").touch()
        await asyncio.gather(*busy)

    asyncio.run(main())
    own.shutdown()
    assert calls.noted(tmp_path, 9) == 0


def test_an_executor_inside_a_task(shared: Executor) -> None:
    assert list(shared.map(calls.nested, [3, 4])) == [9 + 5, 16 + 14]


def test_an_initializer_inside_a_task(own: Executor, tmp_path: Path) -> None:
    future = own.submit(calls.nested_with_initializer, str(tmp_path))
    assert future.result(LIMIT_S) == [6, 5, 6, 7]
    assert 1 <= len(list(tmp_path.glob("init-*"))) <= 2


def test_who_waits_for_a_map_needs_no_processor(shared: Executor) -> None:
    list(shared.map(calls.square, range(4)))
    began, used = time.monotonic(), time.process_time()
    list(shared.map(calls.pause, [0.3] * 8))
    assert time.process_time() - used < 0.2 * (time.monotonic() - began)


def test_a_call_that_comes_as_its_server_goes_to_sleep_is_sent(
    own: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would have woken the server up again before its next look."""
    monkeypatch.setattr("scoop_ft.executor.serving.LOOK_S", 30.0)
    monkeypatch.setattr("scoop_ft.client.link.POLL_S", 30.0)
    own.submit(calls.square, 1).result(LIMIT_S)
    assert own._run is not None
    link: Any = own._run.runtime.link
    came: list[concurrent.futures.Future[int]] = []
    goes_to_sleep, quiet = link._wait_for_news, threading.Event()

    def as_it_does(ready: Callable[[], bool], seconds: float) -> None:
        if quiet.is_set() and threading.get_ident() == link.server and not came:
            other = threading.Thread(target=lambda: came.append(own.submit(calls.square, 7)))
            other.start()
            other.join()
        goes_to_sleep(ready, seconds)

    monkeypatch.setattr(link, "_wait_for_news", as_it_does)
    said = link.session  # whatever the broker says later would wake the server up
    eventually(lambda: said.all_acknowledged() and not said._unsynced)
    quiet.set()
    link.wake()
    eventually(lambda: came)
    eventually(came[0].done, within_s=10.0)  # who waits for its result would ask for hurry
    assert came[0].result() == 49
