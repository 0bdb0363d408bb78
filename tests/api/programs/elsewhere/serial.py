"""Started with plain ``python``."""

from __future__ import annotations

import operator

from scoop_ft import futures, shared


def fib(n: int) -> int:
    if n < 2:
        return n
    one, two = futures.submit(fib, n - 1), futures.submit(fib, n - 2)
    return int(one.result() + two.result())


def inverse(k: int) -> float:
    return 1 / k


def main() -> None:
    assert fib(8) == 21
    assert list(futures.map(pow, [2, 3], [5, 2])) == [32, 9]
    assert sorted(futures.map_as_completed(abs, [-1, 2])) == [1, 2]
    assert futures.map_reduce(abs, operator.add, range(-9, 0)) == 45
    assert futures.map_scan(abs, operator.add, [-1, 2]) == [1, 3]
    future = futures.submit(inverse, 0)
    assert isinstance(future.exception(), ZeroDivisionError)
    assert future.done()
    assert not future.cancel()
    assert not future.running()
    assert not future.cancelled()
    assert next(futures.as_completed([future])) is future
    assert futures.wait([future], 0).done == {future}
    called: list[object] = []
    future.add_done_callback(called.append)
    assert called == [future]
    results = futures.map(inverse, [1, 0])
    assert next(results) == 1
    try:
        next(results)
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError
    shared.set_const(one=1)
    assert shared.get_const("one") == 1
    for mistake in (lambda: shared.set_const(one=2), lambda: futures.map(abs)):
        try:
            mistake()
        except TypeError:
            continue
        raise AssertionError
    try:
        shared.get_const("two", timeout=0.01)
    except futures.TimeoutError:
        print("ok")


if __name__ == "__main__":
    main()
