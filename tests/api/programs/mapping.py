"""`map` and its kin: each check once in the root and once inside a task."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator

import gates

from scoop_ft import futures


def inverse(x: int) -> float:
    return 1 / x


def raises(kind: type[BaseException], call, *args: object, **kwargs: object) -> BaseException:  # type: ignore[no-untyped-def]
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call} did not raise {kind}")


def check_order_and_lengths() -> None:
    assert list(futures.map(abs, range(-5000, 0))) == list(range(5000, 0, -1))
    assert list(futures.map(pow, [2, 3, 4], [5, 2])) == [32, 9]
    assert list(futures.map(pow, [2, 3], itertools.count(2))) == [4, 27]
    assert list(futures.map(abs, [])) == []
    assert list(futures.map(abs, iter([]), [1])) == []
    assert list(futures.map(abs, {-1: "a", -2: "b"})) == [1, 2]
    assert list(futures.map(str.upper, "abc")) == ["A", "B", "C"]
    assert futures.map(abs, [-1]).__next__() == 1
    raises(TypeError, futures.map, abs)
    raises(TypeError, futures.map, abs, 3)


def check_it_is_lazy() -> None:
    seen = []

    def items() -> Iterator[int]:
        for k in range(3):
            seen.append(k)
            yield k

    results = futures.map(abs, items())
    assert seen == [0, 1, 2]
    assert iter(results) is results
    assert next(results) == 0
    assert list(results) == [1, 2]
    assert list(results) == []
    for value in futures.map(abs, range(100)):  # left in the middle
        if value == 5:
            break


def check_items_that_fail_to_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    raises(LookupError, futures.map, abs, items())
    assert list(futures.map(abs, [-7])) == [7]


def check_items_that_come_from_tasks() -> None:
    chain = futures.map(abs, futures.map(operator.neg, futures.map(abs, range(10))))
    assert list(chain) == list(range(10))


class Lazy:
    """Asks a task for its value when it is sent."""

    def __init__(self, k: int) -> None:
        self.k = k

    def __reduce__(self) -> tuple[object, ...]:
        if self.k % 3 == 0:
            futures.submit(abs, 1)
        return int, (str(futures.submit(operator.neg, self.k).result()),)


def check_items_that_use_futures_when_they_are_sent() -> None:
    items = [Lazy(k) if k % 2 else k for k in range(12)]
    values = [-k if k % 2 else k for k in range(12)]
    assert list(futures.map(int, items)) == values
    assert list(futures.map(int, iter(items))) == values
    assert [futures.submit(int, item).result() for item in items] == values


def check_exception_in_its_place() -> None:
    results = futures.map(inverse, [1, 2, 0, 4])
    assert next(results) == 1
    assert next(results) == 0.5
    error = raises(ZeroDivisionError, next, results)
    assert "return 1 / x" in str(error.__cause__)
    raises(ZeroDivisionError, list, futures.map_as_completed(inverse, [0]))


def check_time_is_over() -> None:
    gate = gates.new_gate()
    results = futures.map(gates.pass_through, [gate, gate + "x"], [1, 2], timeout=0.05)
    raises(futures.TimeoutError, next, results)
    results = futures.map_as_completed(gates.pass_through, [gate + "y"], timeout=0.05)
    raises(futures.TimeoutError, next, results)
    raises(
        futures.TimeoutError,
        futures.map_scan,
        gates.pass_through,
        operator.add,
        [gate + "z"],
        timeout=0.05,
    )
    assert list(futures.map(abs, [-1], timeout=30)) == [1]


def check_as_they_come() -> None:
    gate = gates.new_gate()
    results = futures.map_as_completed(pick, [gate, "", "", ""], range(4))
    early = {next(results) for _ in range(3)}
    assert early == {1, 2, 3}
    gates.open_gate(gate)
    assert list(results) == [0]
    assert sorted(futures.map_as_completed(abs, range(-3000, 0))) == list(range(1, 3001))
    assert list(futures.map_as_completed(abs, [])) == []
    raises(TypeError, futures.map_as_completed, abs)


def pick(gate: str, value: int) -> object:
    return gates.pass_through(gate, value) if gate else value


def check_reducing() -> None:
    n = 1000
    assert futures.map_reduce(abs, operator.add, range(-n, 0)) == n * (n + 1) // 2
    assert futures.mapReduce(pow, operator.add, [2, 3], [2, 2]) == 13
    assert futures.mapReduce(abs, operator.add, [-5]) == 5
    assert futures.map_reduce(str, operator.add, range(10)) == "0123456789"  # order is kept
    assert futures.map_scan(abs, operator.add, [-1, 2, -3]) == [1, 3, 6]
    assert futures.mapScan(abs, operator.mul, [-1, 2, -3], timeout=30) == [1, 2, 6]
    assert futures.map_scan(abs, operator.add, []) == []
    raises(TypeError, futures.map_reduce, abs, operator.add, [])
    raises(ZeroDivisionError, futures.map_reduce, inverse, operator.add, [1, 0])
    raises(ZeroDivisionError, futures.map_scan, inverse, operator.add, [1, 0])


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]

if __name__ == "__main__":
    for check in CHECKS:
        check()
        futures.submit(check).result()
    print("ok")
