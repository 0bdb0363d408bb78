"""Tasks that submit tasks: deep, wide, failing, and left alone."""

from __future__ import annotations

import os
import time
import traceback

import gates

from scoop_ft import futures


def fib(n: int) -> int:
    if n < 2:
        return n
    one, two = futures.submit(fib, n - 1), futures.submit(fib, n - 2)
    return int(one.result() + two.result())


def fib_by_map(n: int) -> int:
    return n if n < 2 else sum(futures.map(fib_by_map, [n - 1, n - 2]))


def fib_as_completed(n: int) -> int:
    if n < 2:
        return n
    children = [futures.submit(fib_as_completed, n - k) for k in (1, 2)]
    return sum(future.result() for future in futures.as_completed(children))


def depth(n: int) -> int:
    return n if n == 0 else 1 + int(futures.submit(depth, n - 1).result())


def leaves_children(log: str, gate: str) -> str:
    """Ends before its children; what nobody wants may run or not."""
    for k in range(10):
        futures.submit(gates.note, log, str(k))
    futures.submit(gates.pass_through, gate)
    return "parent"


def fails(text: str) -> None:
    raise ValueError(text)


def passes_on(text: str) -> None:
    futures.submit(fails, text).result()


def passes_on_twice(text: str) -> None:
    futures.submit(passes_on, text).result()


def catches(text: str) -> str:
    try:
        futures.submit(passes_on, text).result()
    except ValueError as error:
        return f"caught {error}"
    return "nothing"


def check_trees(n: int, value: int) -> None:
    for function in (fib, fib_by_map, fib_as_completed):
        assert futures.submit(function, n).result() == value, function
        assert function(n - 4) == fib(n - 4)


def check_depth() -> None:
    assert futures.submit(depth, 300).result() == 300
    assert list(futures.map(depth, [250, 10, 200])) == [250, 10, 200]


def check_parent_that_ends_first() -> None:
    log, gate = "left-alone.log", gates.new_gate()
    assert futures.submit(leaves_children, log, gate).result() == "parent"
    assert list(futures.map(leaves_children, [log] * 20, [gate] * 20)) == ["parent"] * 20
    gates.open_gate(gate)
    assert futures.submit(abs, -1).result() == 1


def check_three_levels() -> None:
    assert futures.submit(catches, "text").result() == "caught text"
    try:
        futures.submit(passes_on_twice, "deep").result()
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))
        for name in ("in passes_on_twice", "in passes_on", "in fails", "ValueError: deep"):
            assert name in shown, shown
        assert shown.count("raise ValueError(text)") == 1, shown
    else:
        raise AssertionError("no exception")


def check_one_bad_child() -> None:
    results = [futures.submit(catches if k % 2 else abs, k) for k in range(10)]
    assert [future.result() for future in results][::2] == [0, 2, 4, 6, 8]


def check_both_workers_help(workers: int) -> None:
    """Children that keep their worker busy are run by all workers."""
    if workers < 2:
        return
    assert len(futures.submit(spread).result()) >= 2


def spread() -> set[int]:
    pids: set[int] = set()
    deadline = time.monotonic() + 20
    while len(pids) < 2 and time.monotonic() < deadline:
        pids |= set(futures.map(where, [0.01] * 8))
    return pids


def where(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


if __name__ == "__main__":
    import sys

    check_trees(16, 987)
    check_depth()
    check_parent_that_ends_first()
    check_three_levels()
    check_one_bad_child()
    check_both_workers_help(int(sys.argv[1]))
    print("ok")
