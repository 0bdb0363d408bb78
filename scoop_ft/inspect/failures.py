"""What a failed task left behind, as text, without loading it.

The traceback's text stands as a string at the end of the recorded pickle: it is read there, so it
can be read when the exception's class cannot be imported any more, and no user code runs.
"""

from __future__ import annotations

import pickletools
from typing import NamedTuple

import msgspec

from ..errors import TaskLost, TaskTimeout
from ..wire.messages import Status
from .calls import Answer

_STRINGS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})
_AFTER = frozenset({"TUPLE2", "STOP", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"})


class Failure(NamedTuple):
    """An exception as one line, and the whole text; how many workers the task has killed."""

    line: str
    text: str
    attempts: int = 0


def failure(answer: Answer) -> Failure:
    """Return what a failed task left behind."""
    if answer.status == Status.LOST:
        details = msgspec.msgpack.decode(answer.payload)
        error = TaskLost.from_details(details)
        text = f"scoop_ft.errors.{type(error).__name__}: {error}"
        died = 0 if isinstance(error, TaskTimeout) else int(details.get("attempts") or 0)
        return Failure(text.splitlines()[0], text, died)
    text = traceback_text(answer.payload).rstrip()
    return Failure(exception_line(text), text)


def traceback_text(payload: bytes) -> str:
    """Return the second of the pair (exception, traceback text) that a pickle holds."""
    strings: dict[int, str] = {}  # the pickle's memo, as far as it holds strings
    memo, last, found = 0, "", ""
    for code, argument, _ in pickletools.genops(payload):
        if code.name in _STRINGS:
            last = found = str(argument)
        elif code.name == "MEMOIZE":
            strings[memo] = last
            memo += 1
        elif code.name in ("BINGET", "LONG_BINGET"):
            last = found = strings.get(int(argument or 0), "")
        elif code.name not in _AFTER:
            last = ""
    return found


def exception_line(text: str) -> str:
    """Return the line of a traceback that names the exception."""
    lines = text.splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    for line in lines[frames[-1] + 1 :] if frames else lines[-1:]:
        if line and not line.startswith(" "):
            return line
    return lines[-1].strip() if lines else ""
