"""`Executor.map`: in order, late, endless, given up."""

from __future__ import annotations

import concurrent.futures
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoop_ft import Executor

from . import calls


def test_map(shared: Executor) -> None:
    assert list(shared.map(calls.power, range(10), range(10))) == [n**n for n in range(10)]
    assert list(shared.map(calls.power, range(10), range(10), chunksize=3)) == [
        n**n for n in range(10)
    ]
    assert list(shared.map(calls.square, [])) == []
    assert list(shared.map(calls.power, [2, 3, 4], itertools.count())) == [1, 3, 16]
    with pytest.raises(ValueError, match="chunksize"):
        shared.map(calls.square, [1], chunksize=0)
    with pytest.raises(ValueError, match="buffersize"):
        shared.map(calls.square, [1], buffersize=0)
    with pytest.raises(TypeError, match="buffersize"):
        shared.map(calls.square, [1], buffersize=1.5)  # type: ignore[arg-type]


def test_map_raises_in_its_place(shared: Executor) -> None:
    results = shared.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert [next(results), next(results)] == [(0, 1), (0, 1)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_is_late(own: Executor, tmp_path: Path) -> None:
    results = own.map(calls.wait_for, [str(tmp_path / "go")], timeout=0.1)
    with pytest.raises(concurrent.futures.TimeoutError):
        list(results)
    (tmp_path / "go").touch()


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_an_endless_iterable_is_read_only_so_far(shared: Executor, ahead: int) -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for n in itertools.count():
            read.append(n)
            yield n

    results = shared.map(calls.square, numbers(), buffersize=ahead)
    assert len(read) == ahead
    for n in range(30):
        assert next(results) == n * n
        assert len(read) <= n + 1 + ahead
    results.close()  # type: ignore[attr-defined]


def test_map_given_up_gives_up_its_calls(own: Executor, tmp_path: Path) -> None:
    results = own.map(calls.note, itertools.repeat(str(tmp_path)), range(3), buffersize=2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    own.shutdown()
    assert calls.noted(tmp_path, 2) <= 1
