"""Results that raise when they are unpickled, SystemExit too, are errors of their calls."""

from __future__ import annotations

import os
from typing import Any

from scoop_ft import Executor, futures
from scoop_ft.errors import RemoteError


class Ends:
    """Asks any other process than its own to end, when it is loaded."""

    def __init__(self, error: type[BaseException]) -> None:
        self.pid = os.getpid()
        self.error = error

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["pid"] != os.getpid():
            raise state["error"](7)


def ends(number: int) -> Any:
    return Ends(SystemExit) if number % 2 else number


def fails(number: int) -> Any:
    return Ends(KeyError) if number % 2 else number


def raised(call: Any) -> BaseException:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - it is looked at
        return error
    raise AssertionError("nothing was raised")


def is_told(error: Any) -> bool:
    told = isinstance(error, RemoteError) and isinstance(error.__cause__, SystemExit)
    return told and "unpickling it raised SystemExit(7)" in str(error)


def main() -> None:
    future = futures.submit(ends, 1)
    assert is_told(raised(future.result))
    assert is_told(future.exception())
    for count in (2, 40):
        assert is_told(raised(lambda count=count: list(futures.map(ends, range(count)))))
        assert is_told(
            raised(lambda count=count: list(futures.map_as_completed(ends, range(count))))
        )
        found = list(futures.map(ends, range(count), on_error="collect"))
        assert found[::2] == list(range(0, count, 2))
        assert all(map(is_told, found[1::2]))
        found = list(futures.map(fails, range(count), on_error="collect"))
        assert found[::2] == list(range(0, count, 2))
        assert all(isinstance(each, KeyError) for each in found[1::2])
    assert isinstance(raised(futures.submit(fails, 1).result), KeyError)
    with Executor() as executor:
        assert is_told(raised(executor.submit(ends, 1).result))
        assert executor.submit(ends, 2).result() == 2
    print("ok")


if __name__ == "__main__":
    main()
