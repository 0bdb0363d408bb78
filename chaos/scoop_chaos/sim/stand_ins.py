"""What the product's modules find instead of the machine while a world runs, and not after it.

The clock, buffers that are large though they are small, functions that are forgotten though they
are small, and in some worlds travel as large ones do, silence in the log, and tracebacks that name
no files: the bytes of a failure count, and a seed shall do the same wherever the code lies.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from scoop_ft import futures, pickling
from scoop_ft.broker import functions as functions_of
from scoop_ft.client import kept as kept_of
from scoop_ft.client import runtime as runtime_of
from scoop_ft.client import serial
from scoop_ft.wire import messages
from scoop_ft.worker import calls as calls_of
from scoop_ft.worker import limits as limits_of
from scoop_ft.worker import runner as runner_of

SMALL_BUFFER: Final = 16  # bytes that a buffer must have to travel apart from its pickle
_SILENCE: Final = logging.CRITICAL + 1


@contextmanager
def in_place(time: Any, *, large: bool = False) -> Generator[None, None, None]:
    """Let the product's modules see this ``time``; all is as before afterwards.

    ``large``: functions that tasks call travel as those do that have captured much.
    """
    log = logging.getLogger("scoop_ft")
    level = log.level
    log.setLevel(_SILENCE)
    places: list[tuple[Any, str, Any]] = [
        (runner_of, "time", time),
        (calls_of, "time", time),
        (calls_of, "_trace", _trace),
        (limits_of, "time", time),
        (runtime_of, "time", time),
        (kept_of, "time", time),
        (futures, "time", time),
        (pickling, "OUT_OF_BAND_BYTES", SMALL_BUFFER),
        (functions_of, "SPARE", 0),
        (messages, "SMALL_BYTES", 0 if large else messages.SMALL_BYTES),
        (serial, "_warned", True),
        (runtime_of, "_current", None),
        (runtime_of, "SILENT_S", 1e9),  # nobody reads what a process says
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in places]
    try:
        for module, name, value in places:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        log.setLevel(level)


def _trace(error: BaseException) -> str:
    return f"Traceback (most recent call last):\n{type(error).__name__}: {error}\n"
