"""What PEP 3148 says of futures: each check once in the root and once inside a task."""

from __future__ import annotations

import concurrent.futures
import operator
import pickle
import time
import traceback

import gates

from scoop_ft import futures


def boom(text: str = "boom") -> None:
    raise ValueError(text)


def describe(*args: object, **kwargs: object) -> tuple[object, object]:
    return args, kwargs


def raises(kind: type[BaseException], call, *args: object, **kwargs: object) -> BaseException:  # type: ignore[no-untyped-def]
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call} did not raise {kind}")


def check_results() -> None:
    assert futures.submit(pow, 2, 10).result() == 1024
    assert futures.submit(describe, 1, b=2).result() == ((1,), {"b": 2})
    assert futures.submit(describe).result() == ((), {})
    assert futures.submit(describe, func=1, self=2).result() == ((), {"func": 1, "self": 2})
    assert futures.submit(describe, None).result() == ((None,), {})
    nothing = futures.submit(print, end="")
    assert nothing.result() is None
    assert nothing.exception() is None
    assert nothing.done()
    assert not nothing.running()
    assert not nothing.cancelled()
    assert not nothing.cancel()
    assert nothing.result() is None


def check_exceptions() -> None:
    future = futures.submit(boom, "one")
    error = raises(ValueError, future.result)
    assert error.args == ("one",)
    assert isinstance(future.exception(), ValueError)
    assert "raise ValueError(text)" in str(error.__cause__)
    raises(ValueError, future.result)
    assert len(traceback.extract_tb(error.__traceback__)) < 8  # it does not grow
    assert future.done()
    assert not future.cancelled()
    assert not future.cancel()


def check_time_is_over() -> None:
    gate = gates.new_gate()
    future = futures.submit(gates.pass_through, gate, 5)
    for timeout in (0, 0.0, 0.01):
        raises(futures.TimeoutError, future.result, timeout)
        raises(concurrent.futures.TimeoutError, future.exception, timeout=timeout)
    assert futures.TimeoutError is concurrent.futures.TimeoutError
    gates.open_gate(gate)
    assert future.result(30) == 5
    assert future.exception(0) is None
    assert future.result(timeout=0) == 5


def check_polling() -> None:
    future = futures.submit(pow, 3, 3)
    while not future.done():
        pass
    assert future.result(0) == 27
    future = futures.submit(pow, 3, 4)
    while futures.wait([future], timeout=0).not_done:
        pass
    future = futures.submit(pow, 3, 5)
    while True:
        try:
            assert future.result(timeout=0) == 243
            break
        except futures.TimeoutError:
            continue
    future = futures.submit(pow, 3, 6)
    while future.running() or not future.done():
        pass


def check_running() -> None:
    gate = gates.new_gate()
    future = futures.submit(gates.pass_through, gate)
    gates.begun(gate)
    assert future.running()
    assert not future.done()
    assert not future.cancel()
    assert not future.cancelled()
    gates.open_gate(gate)
    assert future.result() is None
    assert not future.running()


def check_cancelling() -> None:
    """Whether it can be cancelled is for the run to say: what it says must be true."""
    log = gates.new_gate() + ".log"
    gates.note(log, "before")
    several = [futures.submit(gates.note, log, str(k)) for k in range(20)]
    given_up = [future for future in several if future.cancel()]
    futures.wait(several)
    for k, future in enumerate(several):
        assert future.done()
        assert future.cancelled() == (future in given_up)
        if future in given_up:
            assert future.cancel()
            raises(futures.CancelledError, future.result)
            raises(concurrent.futures.CancelledError, future.exception, 0)
        else:
            assert future.result() == str(k)
    with open(log) as file:
        ran = file.read().split()[1:]
    assert sorted(ran) == sorted(str(k) for k, f in enumerate(several) if f not in given_up)
    assert set(futures.as_completed(several)) == set(several)


def check_callbacks() -> None:
    called: list[object] = []
    gate = gates.new_gate()
    future = futures.submit(gates.pass_through, gate, 7)
    gates.begun(gate)
    future.add_done_callback(lambda f: called.append(("first", f.result())))
    future.add_done_callback(lambda f: called.append(("second", f is future)))
    assert called == []
    gates.open_gate(gate)
    future.result()
    futures.submit(abs, 1).result()
    assert called == [("first", 7), ("second", True)]
    future.add_done_callback(lambda f: called.append(f.done()))
    assert called[2:] == [True]


def check_callback_of_a_failure() -> None:
    called: list[object] = []
    future = futures.submit(boom)
    future.add_done_callback(lambda f: called.append(type(f.exception())))
    future.exception()
    futures.submit(abs, 1).result()
    assert called == [ValueError]


def check_callback_that_submits() -> None:
    called: list[object] = []
    more: list[futures.Future] = []

    def go_on(future: futures.Future) -> None:
        called.append(future.result())
        if len(called) < 5:
            more.append(futures.submit(operator.add, future.result(), 1))
            more[-1].add_done_callback(go_on)

    futures.submit(operator.add, 0, 1).add_done_callback(go_on)
    deadline = time.monotonic() + 20
    while len(called) < 5 and time.monotonic() < deadline:
        futures.submit(abs, 1).result()
    assert called == [1, 2, 3, 4, 5]


def check_waiting() -> None:
    gate, bad = gates.new_gate(), gates.new_gate()
    held = futures.submit(gates.pass_through, gate)
    failing = futures.submit(gates.fail_behind, bad)
    free = futures.submit(abs, -1)
    done, not_done = futures.wait([held, free], return_when=futures.FIRST_COMPLETED)
    assert (done, not_done) == ({free}, {held})
    found = futures.wait([held, free], timeout=0)
    assert found.done == {free}
    assert found.not_done == {held}
    assert futures.wait([held, held], timeout=0.01) == (set(), {held})
    assert futures.wait([held, failing, free], 0.01, futures.FIRST_EXCEPTION).done == {free}
    gates.open_gate(bad)
    done, not_done = futures.wait([held, failing, free], None, futures.FIRST_EXCEPTION)
    assert (done, not_done) == ({failing, free}, {held})
    gates.open_gate(gate)
    assert futures.wait([held, failing, free]) == ({held, failing, free}, set())
    assert futures.wait([free], return_when=futures.FIRST_EXCEPTION) == ({free}, set())
    assert futures.wait([]) == (set(), set())
    raises(ValueError, futures.wait, [free], return_when="SOME")


def check_as_completed() -> None:
    gate = gates.new_gate()
    held = futures.submit(gates.pass_through, gate, "held")
    free = [futures.submit(abs, -k) for k in range(3)]
    there = futures.submit(abs, -9)
    there.result()
    order = futures.as_completed([held, *free, there, free[0], held])
    assert {next(order) for _ in range(4)} == {there, *free}
    late = futures.as_completed([free[0], held], timeout=0.02)
    assert next(late) is free[0]
    raises(futures.TimeoutError, next, late)
    gates.open_gate(gate)
    assert list(order) == [held]
    assert list(futures.as_completed([held, *free, there, held])).count(held) == 1
    assert list(futures.as_completed([])) == []
    raises(futures.TimeoutError, next, futures.as_completed([_never()], timeout=0))


def _never() -> futures.Future:
    return futures.submit(gates.pass_through, gates.new_gate())


def check_cannot_be_sent() -> None:
    future = futures.submit(abs, -1)
    assert "result()" in str(raises(TypeError, pickle.dumps, future))
    assert "result()" in str(raises(TypeError, futures.submit, abs, future))
    assert future.result() == 1
    assert "Future" in repr(future)


def check_the_standards_waits_say_whose_to_use() -> None:
    for wait in (concurrent.futures.wait, lambda fs: next(concurrent.futures.as_completed(fs))):
        told = str(raises(AttributeError, wait, [futures.submit(abs, -1)]))
        assert "scoop_ft.futures.as_completed" in told, told


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]

if __name__ == "__main__":
    for check in CHECKS:
        check()
        futures.submit(check).result()
    waiting = [futures.submit(check) for check in CHECKS]  # all at once
    for future in waiting:
        future.result()
    print("ok")
