"""The standard streams, whatever a command was started with and the user has made of them.

A daemon or ``2>&-`` closes the descriptors 0, 1 and 2; then the next files that are opened have
these numbers, and what is printed would go into them.  A script or a task may put something of its
own in the place of ``sys.stdout``.
"""

from __future__ import annotations

import io
import os
import sys


def open_closed() -> None:
    """Open the null device in the place of each that is closed; before any other file is opened.

    Python has none for these: what is written to them goes nowhere, too.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as we live
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for as long as we live


def show_all() -> None:
    """Let what a terminal has no character for be shown as an escape: it is no error of ours."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def by_lines() -> None:
    """Let each line leave as it is printed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def flush() -> None:
    """Let what the user's code has printed leave this process, which ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - nobody reads it, or it is the user's own: None, anything
            continue
