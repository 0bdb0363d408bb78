"""Ends the script's process as Python ends it: what the script has left to its end is done.

Files that it has not closed are written, its exit functions called, its threads waited for, those
of its thread pools told to end.  What is said to the broker, and when, is decided in `__main__`.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from .. import open_files


def join_threads() -> None:
    """Wait for the script's threads: they may still use futures."""
    for ask in reversed(getattr(threading, "_threading_atexits", ())):
        ask()  # the threads of a pool that was not shut down wait until they are told
    for thread in _users_threads():
        thread.join()


def call_exit_functions() -> None:
    """Do what is left to Python's end: before the run is said to have ended.

    Those functions may use futures, too, and are called again if this process dies meanwhile.
    """
    atexit._run_exitfuncs()
    open_files.write()


def leave(code: int) -> NoReturn:
    """End this process as Python does: whatever else writes as it goes away is waited for."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except Exception:  # noqa: BLE001 - nobody reads it: Python would end with a code of its own
            setattr(sys, name, None)
    sys.exit(code)


def leave_at_once(code: int) -> NoReturn:
    """End this process though threads may hang, or the run is no more."""
    open_files.write()
    os._exit(code)


def _users_threads() -> Iterator[threading.Thread]:
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            yield thread
