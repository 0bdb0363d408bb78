"""For the programs: who ran what, when and where, one line each in the ledger of the folder.

A line is ``S|E key time pid place``: a call starts or ends (``X``: it raises) at a time of the
machine's monotonic clock.  A line is one write to a file that is open for appending, so that
lines of many processes do not mix and a killed process leaves whole ones.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

LEDGER = "ledger"
PLACE = "SCOOP_CHAOS_PLACE"  # environment variable: on which "host" a process runs

Function = TypeVar("Function", bound=Callable[..., Any])


def key_of(name: str, args: tuple[Any, ...]) -> str:
    """Name a call by its function and those arguments that are short: numbers and words."""
    return f"{name}:{'.'.join(str(a) for a in args if isinstance(a, (int, str)))}"


def write(what: str, key: str) -> None:
    """Append a line to the ledger of the current folder."""
    place = os.environ.get(PLACE, "here")
    line = f"{what} {key} {time.monotonic()!r} {os.getpid()} {place}\n"
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def noted(function: Function) -> Function:
    """Have each call of a function note its start and its end."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = key_of(function.__name__, args)
        write("S", key)
        try:
            result = function(*args, **kwargs)
        except BaseException:
            write("X", key)
            raise
        write("E", key)
        return result

    return call  # type: ignore[return-value]
