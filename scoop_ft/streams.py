"""The standard streams, whatever a command was started with and the user has made of them.

A daemon or ``2>&-`` closes the descriptors 0, 1 and 2; then the next files that are opened have
these numbers, and what is printed would go into them.  A script or a task may put something of its
own in the place of ``sys.stdout``.
"""

from __future__ import annotations

import os
import sys


def open_closed() -> None:
    """Open the null device in the place of each that is closed; before any other file is opened."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def flush() -> None:
    """Let what the user's code has printed leave this process, which ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # nobody reads it any more
        except AttributeError:
            continue  # the user's own: None, or something that has no flush
