"""Maps with a buffer, and failures that are collected: in the root and in tasks."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator

import pytest

from scoop_ft import futures
from scoop_ft.client.runtime import current

SIZES = (1, 2, 3, 7, 40, 5_000)


def square(n: int) -> int:
    return n * n


def odd(n: int) -> int:
    if n % 2 == 0:
        raise ValueError(n)
    return n


def leave(n: int) -> int:
    raise SystemExit(n)


def crash(n: int) -> int:
    if n == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def nested(n: int) -> int:
    return sum(itertools.islice(futures.map(square, itertools.count(), buffersize=7), n))


def failing(n: int) -> Iterator[int]:
    yield from range(n)
    raise KeyError("the source")


class Counted:
    """An endless iterable that knows how far it was read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        while True:
            self.read += 1
            yield self.read - 1


def all_results() -> None:
    expected = [square(n) for n in range(37)]
    for size in SIZES:
        assert list(futures.map(square, range(37), buffersize=size)) == expected
        assert list(futures.map(square, iter(range(37)), buffersize=size)) == expected
        found = futures.map_as_completed(square, range(37), buffersize=size)
        assert sorted(found) == expected
    assert list(futures.map(square, [], buffersize=3)) == []
    assert list(futures.map_as_completed(square, [], buffersize=3)) == []
    assert list(futures.map(pow, [2, 3, 4], itertools.count(1), buffersize=2)) == [2, 9, 64]


def never_more_than_the_buffer() -> None:
    for mapping in (futures.map, futures.map_as_completed):
        for size in SIZES[:-1]:
            source = Counted()
            results = mapping(square, source, buffersize=size)
            assert source.read == size
            for taken in range(1, 50):
                next(results)
                assert taken <= source.read < taken + size
                assert source.read >= min(taken, size)


def the_error_of_the_source_comes_last() -> None:
    for mapping in (futures.map, futures.map_as_completed):
        results, found = mapping(square, failing(9), buffersize=4), []
        for _ in range(9):
            found.append(next(results))
        assert sorted(found) == [square(n) for n in range(9)]
        with pytest.raises(KeyError, match="the source"):
            next(results)


def collected() -> None:
    for size in (None, 2, 100):
        found = list(futures.map(odd, range(6), on_error="collect", buffersize=size))
        assert [x for x in found if not isinstance(x, BaseException)] == [1, 3, 5]
        assert [x.args for x in found if isinstance(x, ValueError)] == [(0,), (2,), (4,)]
        assert isinstance(found[2], ValueError)
        assert [type(x) for x in found[::2]] == [ValueError] * 3
        mixed = list(futures.map_as_completed(odd, range(6), on_error="collect", buffersize=size))
        assert sorted(x for x in mixed if isinstance(x, int)) == [1, 3, 5]
        assert sum(isinstance(x, ValueError) for x in mixed) == 3
        with pytest.raises(ValueError, match="0"):
            list(futures.map(odd, range(6), buffersize=size))


def in_a_run_only() -> None:
    if current() is None:
        return
    for mapping in (futures.map, futures.map_as_completed):
        found = list(mapping(crash, range(3), on_error="collect", buffersize=2))
        lost = [x for x in found if isinstance(x, BaseException)]
        assert [type(x).__name__ for x in lost] == ["TaskLost"]
        assert "SIGKILL" in str(lost[0])
        assert sorted(x for x in found if isinstance(x, int)) == [0, 2]
    assert [type(x) for x in futures.map(leave, [3], on_error="collect")] == [SystemExit]
    [error] = futures.map(odd, [0], on_error="collect")
    assert isinstance(error, ValueError)
    assert "in odd" in str(error.__cause__)


def mistakes() -> None:
    for mapping in (futures.map, futures.map_as_completed):
        for size in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                mapping(square, [1], buffersize=size)
        with pytest.raises(TypeError, match="number of calls"):
            mapping(square, [1], buffersize=1.5)  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="'raise' or 'collect'"):
            mapping(square, [1], on_error="ignore")  # type: ignore[call-overload]


if __name__ == "__main__":
    all_results()
    never_more_than_the_buffer()
    the_error_of_the_source_comes_last()
    collected()
    mistakes()
    assert list(futures.map(nested, [5, 50, 500])) == [30, 40425, 41541750]
    in_a_run_only()
    print("ok")
