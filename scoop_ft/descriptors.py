"""The descriptors 0, 1 and 2 are open, whatever a command was started with.

A daemon or ``2>&-`` closes them; then the next files that are opened have these numbers, and what
is printed would go into them, or into nothing that a process started from here could write to.
"""

from __future__ import annotations

import os


def fill() -> None:
    """Open the null device in the place of each that is closed; before any other file is opened."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
