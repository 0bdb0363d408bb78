"""`Pool`, beside `multiprocessing.Pool`: what one answers the other does, too."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoop_ft import Pool

from . import calls
from .conftest import LIMIT_S, kill, live


@pytest.fixture(scope="module", params=["ours", "theirs"])
def pool(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "ours":
        made: Any = Pool(2, run_dir=tmp_path_factory.mktemp("pool") / "run")
    else:
        made = multiprocessing.get_context("spawn").Pool(2)
    with made:
        yield made


def test_apply(pool: Any) -> None:
    assert pool.apply(calls.power, (2,), {"exponent": 5}) == 32
    with pytest.raises(ValueError, match="no"):
        pool.apply(calls.fail, ("no",))


def test_map(pool: Any) -> None:
    assert pool.map(calls.square, range(100)) == [n * n for n in range(100)]
    assert pool.map(calls.square, range(10), chunksize=3) == [n * n for n in range(10)]
    assert pool.map(calls.square, []) == []
    with pytest.raises(ValueError, match="no"):
        pool.map(calls.fail, ["no"])


def test_starmap(pool: Any) -> None:
    pairs = list(itertools.product(range(5), range(4)))
    assert pool.starmap(calls.power, pairs) == [a**b for a, b in pairs]
    assert pool.starmap(calls.power, [(3,), (3, 3)]) == [9, 27]
    assert pool.starmap(calls.power, []) == []
    assert pool.starmap_async(calls.power, pairs).get(LIMIT_S) == [a**b for a, b in pairs]


def test_imap(pool: Any) -> None:
    results = pool.imap(calls.square, range(50))
    assert next(results) == 0
    assert results.next(timeout=LIMIT_S) == 1
    assert list(results) == [n * n for n in range(2, 50)]
    assert sorted(pool.imap_unordered(calls.square, range(50))) == [n * n for n in range(50)]
    assert list(pool.imap(calls.square, [])) == []
    assert list(pool.imap_unordered(calls.square, [])) == []


def test_imap_goes_on_after_an_error(pool: Any) -> None:
    results = pool.imap(calls.fail_on_odd, range(4))
    seen = []
    for _ in range(4):
        try:
            seen.append(next(results))
        except ValueError as error:
            seen.append(str(error))
    assert seen == [0, "1", 4, "3"]
    with pytest.raises(StopIteration):
        next(results)


def test_imap_is_late(pool: Any, tmp_path: Path) -> None:
    for method in (pool.imap, pool.imap_unordered):
        go = tmp_path / method.__name__
        results = method(calls.wait_for, [str(go)])
        with pytest.raises(multiprocessing.TimeoutError):
            results.next(timeout=0.05)
        go.touch()
        assert results.next(timeout=LIMIT_S) == str(go)


def test_async_results(pool: Any, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    result = pool.apply_async(calls.wait_for, (go,))
    assert not result.ready()
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    result.wait(0.05)
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(0.05)
    (tmp_path / "go").touch()
    assert result.get(LIMIT_S) == go
    assert result.ready()
    assert result.successful()
    bad = pool.map_async(calls.fail, ["x"])
    bad.wait(LIMIT_S)
    assert not bad.successful()


def test_callbacks(pool: Any) -> None:
    heard: list[Any] = []
    there = threading.Event()

    def hear(value: Any) -> None:
        heard.append(value)
        there.set()

    for start, expected in (
        (lambda: pool.apply_async(calls.square, (3,), callback=hear), 9),
        (lambda: pool.map_async(calls.square, [1, 2], callback=hear), [1, 4]),
    ):
        there.clear()
        start()
        assert there.wait(LIMIT_S)
        assert heard.pop() == expected
    there.clear()
    pool.apply_async(calls.fail, ("oh",), error_callback=hear)
    assert there.wait(LIMIT_S)
    assert isinstance(heard.pop(), ValueError)


# ---- ours alone ----------------------------------------------------------------------------------


def test_the_end(tmp_path: Path, nothing_left: None) -> None:
    pool = Pool(1, run_dir=tmp_path / "run")
    result = pool.map_async(calls.square, range(10))
    with pytest.raises(ValueError, match="close"):
        pool.join()
    pool.close()
    pool.join()
    assert result.get(0) == [n * n for n in range(10)]
    with pytest.raises(ValueError, match="not running"):
        pool.map(calls.square, [1])


def test_terminate_does_not_wait(tmp_path: Path, nothing_left: None) -> None:
    with Pool(1, run_dir=tmp_path / "run") as pool:
        pool.apply(calls.square, (1,))
        pool.apply_async(calls.pause, (1000.0,))
        began = time.monotonic()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "theirs"])
def test_nor_does_it_after_close(ours: bool, tmp_path: Path, nothing_left: None) -> None:
    """What hangs does not hold somebody who closes, waits for so long, and leaves."""
    made: Any = Pool(1, run_dir=tmp_path / "run") if ours else multiprocessing.Pool(1)
    with made as pool:
        pool.apply(calls.square, (1,))
        result = pool.map_async(calls.pause, [1000.0, 1000.0])
        pool.close()
        with pytest.raises(multiprocessing.TimeoutError):
            result.get(timeout=0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 20


def test_an_endless_iterable(tmp_path: Path, nothing_left: None) -> None:
    with Pool(2, run_dir=tmp_path / "run") as pool:
        found = list(itertools.islice(pool.imap(calls.square, itertools.count()), 20))
        assert found == [n * n for n in range(20)]
        some = list(itertools.islice(pool.imap_unordered(calls.square, itertools.count()), 20))
        assert len(set(some)) == 20


def test_a_worker_dies(tmp_path: Path, nothing_left: None) -> None:
    with Pool(2, calls.set_state, (str(tmp_path), 7), run_dir=tmp_path / "run") as pool:
        assert pool.map(calls.get_state, range(3)) == [7, 8, 9]
        kill(live(tmp_path / "run").workers[0].pid)
        assert pool.map(calls.get_state, range(200)) == list(range(7, 207))


SCRIPT = """
import os
from scoop_ft import Executor, Pool

def pid(x):
    return os.getppid()

if __name__ == "__main__":
    with Pool() as pool, Executor() as executor:
        parents = {*pool.map(pid, range(20)), *pool.imap_unordered(pid, range(20))}
        parents |= {executor.submit(pid, x).result() for x in range(20, 30)}
        parents |= set(executor.map(pid, range(30, 50)))
        print(parents == {os.getppid()})
    with Pool() as pool:
        print(pool.map(abs, [-1]))
"""


def test_in_a_script_of_a_run_it_is_that_runs_workers(run_process: Any) -> None:
    (run_process.folder / "script.py").write_text(SCRIPT)
    run_process.start("-q", "-n", "2", "script.py")
    assert run_process.wait() == 0
    assert (run_process.folder / "stdout.1").read_text() == "True\n[-1]\n".replace("-1", "1")


LEAVING = """
import multiprocessing, time
from scoop_ft import Pool

if __name__ == "__main__":
    try:
        with Pool() as pool:
            pool.map_async(time.sleep, [2.0] * 100).get(timeout=0.5)
    except multiprocessing.TimeoutError:
        with Pool() as pool:
            print(pool.map(abs, [-1]))
"""


def test_in_a_script_of_a_run_what_is_given_up_does_not_hold_others(run_process: Any) -> None:
    (run_process.folder / "script.py").write_text(LEAVING)
    run_process.start("-q", "-n", "2", "script.py")
    began = time.monotonic()
    assert run_process.wait() == 0
    assert time.monotonic() - began < 40
    assert (run_process.folder / "stdout.1").read_text() == "[1]\n"


def test_a_pool_need_not_be_synced(tmp_path: Path) -> None:
    with Pool(1, run_dir=tmp_path / "run", durability="none") as pool:
        assert pool.apply(calls.square, (3,)) == 9
        assert (tmp_path / "run" / "journal" / "unsynced").exists()
