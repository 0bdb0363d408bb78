"""Maps over numbers, whose calls and results are packed as columns where they are of one form."""

import itertools
import math
import pickle
from typing import Any

from scoop_ft import futures

EDGES = [0, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, -1, -(2**31), -(2**31) - 1, 1 << 90]


def same(number: Any) -> Any:
    return number


def add(*numbers: float) -> float:
    return sum(numbers)


def ragged(number: int) -> Any:
    """Return a number mostly: something else in places, and raise in others."""
    if number % 97 == 13:
        return [number]
    if number % 101 == 57:
        return str(number)
    if number % 499 == 211:
        raise ValueError(number)
    return number if number % 3 else number / 2


def nested(number: int) -> int:
    """Map over numbers in a task, and raise something on the way where nobody sees it."""
    return sum(futures.map(same, range(number, number + 50)))


def check(function: Any, *iterables: Any) -> None:
    expected = list(map(function, *iterables))
    found = list(futures.map(function, *iterables))
    assert [pickle.dumps(v) for v in found] == [pickle.dumps(v) for v in expected], function


def ended(number: int) -> Any:
    try:
        return ragged(number)
    except ValueError as error:
        return repr(error)


def main() -> None:
    for count in (1, 7, 8, 9, 3_000):
        check(same, range(count))
        check(same, [i / 3 for i in range(count)])
        check(same, [None] * count)
        check(same, [i % 2 == 0 for i in range(count)])
    check(same, EDGES * 40)
    check(same, [0.0, -0.0, math.inf, math.nan, 5e-324] * 9)
    check(add, range(2_500), range(7, 2_600))
    check(add, range(400), [1.5] * 400, range(300))
    check(add, *[range(50)] * 4)
    check(same, [*range(1_000), "text", object, *range(1_000)])
    check(nested, range(60))
    found = futures.map(ragged, range(3_000), on_error="collect")
    assert [repr(v) if isinstance(v, ValueError) else v for v in found] == list(
        map(ended, range(3_000))
    )
    some = futures.map(same, range(1_000))
    assert list(itertools.islice(some, 10)) == list(range(10))  # the rest is never asked for
    calls = [futures.submit(same, i if i % 5 else str(i)) for i in range(1_000)]
    assert [call.result() for call in calls] == [i if i % 5 else str(i) for i in range(1_000)]
    print("ok")


if __name__ == "__main__":
    main()
