"""Callables that keep something: each call has its own copy, as it was when it was submitted."""

import functools
from typing import Any

from scoop_ft import futures


class Counter:
    def __init__(self) -> None:
        self.calls = 0

    def count(self, _: int) -> int:
        self.calls += 1
        return self.calls

    def __call__(self, x: int) -> int:
        return self.count(x)


def append(to: list[int], x: int) -> int:
    to.append(x)
    return len(to)


def closure() -> Any:
    calls = 0

    def count(_: int) -> int:
        nonlocal calls
        calls += 1
        return calls

    return count


def in_a_task(_: int) -> list[int]:
    return list(futures.map(Counter().count, range(3)))


def main() -> None:
    counter = Counter()
    for function in (counter.count, counter, functools.partial(append, []), closure()):
        assert list(futures.map(function, range(40))) == [1] * 40, function
        calls = [futures.submit(function, x) for x in range(40)]
        assert [call.result() for call in calls] == [1] * 40, function
    counter.calls = 7
    assert list(futures.map(counter.count, range(9))) == [8] * 9
    assert list(futures.map(in_a_task, range(4))) == [[1, 1, 1]] * 4
    print("ok")


if __name__ == "__main__":
    main()
