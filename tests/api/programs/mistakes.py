"""What cannot travel: the error comes at once, at the user's line, and names the culprit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from scoop_ft import futures, shared
from scoop_ft.errors import RemoteError, UnpicklableError


def work(value: object, *, more: object = None) -> object:
    return value


def makes_lock() -> object:
    return {"inner": [threading.Lock()]}


class Bound:
    """Goes nowhere."""

    def __getstate__(self) -> object:
        raise TypeError("it stays here")


class Stubborn(Exception):
    def __init__(self, lock: object) -> None:
        super().__init__("stubborn", lock)


def raises_stubborn() -> None:
    raise Stubborn(threading.Lock())


class Fussy:
    """Arrives nowhere: unpickling it fails."""

    def __reduce__(self) -> tuple[object, ...]:
        return fuss, ()


def fuss() -> None:
    raise RuntimeError("cannot be unpickled")


def returns_fussy() -> Fussy:
    return Fussy()


def mistake(call: Callable[[], object], *words: str) -> None:
    """Make it: the error names the culprit in one line."""
    error = raised(call)
    assert isinstance(error, UnpicklableError), error
    assert isinstance(error, TypeError)
    said = str(error)
    assert "\n" not in said
    assert all(word in said for word in words), said


def raised(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - any of them shall be of the right kind
        return error
    return None


def check_arguments() -> None:
    lock = threading.Lock()
    mistake(lambda: futures.submit(work, lock), "argument 1 of mistakes.work", "lock")
    mistake(lambda: futures.submit(work, 1, more=lock), "argument 'more' of mistakes.work", "lock")
    mistake(lambda: futures.submit(work, {"a": [1, lock]}), "mistakes.work", "['a'][1]")
    mistake(lambda: futures.map(work, [1, 2, lock, 4]), "argument 1 of mistakes.work", "lock")
    mistake(lambda: futures.map(work, iter([1, lock])), "argument 1 of mistakes.work", "lock")
    mistake(lambda: futures.submit(work, (k for k in "abc")), "generator")
    mistake(lambda: futures.submit(lock.acquire), "function")
    mistake(lambda: futures.submit(lambda: lock), "function", "lock")
    mistake(lambda: shared.set_const(lock=lock), "constant 'lock'")
    with socket.socket() as connection:
        mistake(lambda: futures.submit(work, connection), "argument 1 of mistakes.work", "socket")


def check_results() -> None:
    mistake(futures.submit(makes_lock).result, "the result of mistakes.makes_lock", "['inner'][0]")
    mistake(
        futures.submit(Bound).result, "the result of mistakes.Bound", "it is a mistakes.Bound ("
    )
    future = futures.submit(raises_stubborn)
    error = future.exception()
    assert isinstance(error, (Stubborn, RemoteError)), error
    assert "raises_stubborn" in str(error.__cause__)


def check_what_does_not_arrive() -> None:
    error = futures.submit(work, Fussy()).exception()
    assert isinstance(error, RuntimeError)
    assert "cannot be unpickled" in str(error)
    assert "cannot be unpickled" in str(raised(futures.submit(returns_fussy).result))


def check_neighbours() -> None:
    before = [futures.submit(work, k) for k in range(5)]
    mistake(lambda: futures.submit(work, threading.Lock()), "work")
    after = [futures.submit(work, k) for k in range(5, 10)]
    assert [future.result() for future in before + after] == list(range(10))
    several = [futures.submit(abs, -1), futures.submit(makes_lock), futures.submit(abs, -2)]
    assert [several[0].result(), several[2].result()] == [1, 2]


def all_checks() -> None:
    check_arguments()
    check_results()
    check_what_does_not_arrive()
    check_neighbours()


if __name__ == "__main__":
    all_checks()
    futures.submit(all_checks).result()
    print("ok")
