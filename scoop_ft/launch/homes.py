"""The folder of an agent that has none of the run: temporary, and with the run's key in it.

It goes when the agent ends, whatever ends it: nothing that asks to end interrupts its removal.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from ..rundir import RunDir

PREFIX: Final = "scoop-ft-worker-"
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def temporary_home() -> Iterator[RunDir]:
    """Make a folder, and remove it at the end (main thread only).

    Signals that ask to end are exceptions meanwhile, the first of them only.
    """
    handlers = ((number, signal.getsignal(number)) for number in _ENDING)
    former = {number: one for number, one in handlers if one not in (signal.SIG_IGN, None)}
    home = RunDir(tempfile.mkdtemp(prefix=PREFIX))
    try:
        try:
            for number in former:
                signal.signal(number, _end)
            yield home
        finally:
            _hear_no_more()
    finally:  # also when a signal came just as the former began
        shutil.rmtree(home.path, ignore_errors=True)
        for number, handler in former.items():
            signal.signal(number, handler)


def _end(number: int, frame: Any) -> None:
    _hear_no_more()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _hear_no_more() -> None:
    for number in _ENDING:
        if signal.getsignal(number) is _end:
            signal.signal(number, _too_late)


def _too_late(number: int, frame: Any) -> None:
    """It ends already."""
