"""Constants: set anywhere, read everywhere, once for all."""

from __future__ import annotations

import operator
import time

import numpy as np

from scoop_ft import futures, shared


def read(name: str) -> object:
    return shared.get_const(name, timeout=30)


def read_late(name: str) -> str:
    try:
        shared.get_const(name, timeout=0.02)
    except futures.TimeoutError as error:
        return str(error)
    return ""


def tell(name: str, value: object) -> None:
    shared.set_const(**{name: value})


def spoil(name: str) -> float:
    matrix = shared.get_const(name)
    matrix += 1
    return float(matrix.max())


def call(name: str, *args: object) -> object:
    return shared.getConst(name)(*args)


def set_twice(name: str) -> str:
    shared.set_const(**{name: 1})
    try:
        shared.set_const(**{name: 2})
    except TypeError as error:
        return str(error)
    return ""


def raises(kind: type[BaseException], call, *args: object, **kwargs: object) -> BaseException:  # type: ignore[no-untyped-def]
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")


if __name__ == "__main__":
    shared.set_const(number=42, table={"a": [1, 2]}, nothing=None)
    assert shared.get_const("number") == 42
    assert list(futures.map(read, ["number", "table", "nothing"])) == [42, {"a": [1, 2]}, None]
    futures.submit(tell, "by_task", (1, 2)).result()
    assert shared.get_const("by_task", timeout=30) == (1, 2)
    assert list(futures.map(read, ["by_task"] * 8)) == [(1, 2)] * 8
    waiting = [futures.submit(read, "later") for _ in range(6)]  # more than there are workers
    assert not any(future.done() for future in waiting)
    shared.set_const(later="now")
    assert [future.result() for future in waiting] == ["now"] * 6
    began = time.monotonic()
    error = raises(futures.TimeoutError, shared.get_const, "never", 0.05)
    assert time.monotonic() - began >= 0.05
    assert "'never'" in str(error)
    raises(futures.TimeoutError, shared.get_const, "never", timeout=0)
    assert "'never'" in futures.submit(read_late, "never").result()
    offset = 10
    shared.setConst(plus=operator.add, offset=lambda k: k + offset)
    assert futures.submit(call, "plus", 1, 2).result() == 3
    assert futures.submit(call, "offset", 1).result() == 11
    assert "'number'" in str(raises(TypeError, shared.set_const, number=43))
    assert "'twice'" in futures.submit(set_twice, "twice").result()
    raises(TypeError, futures.submit(tell, "number", 44).result)
    shared.set_const(matrix=np.zeros(50_000))
    for name in ("matrix", "matrix"):
        assert spoil(name) == 1.0
        assert list(futures.map(spoil, [name] * 4)) == [1.0] * 4  # each reader has its own
    assert list(futures.map(read, ["number", "by_task"])) == [42, (1, 2)]
    print("ok")
