"""Ctrl-Z: the processes that were started here stop and go on together with this one.

A terminal stops only those of its foreground group; the others would go on without whoever
watches them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .processes import Child


def is_asked_by(number: int) -> bool:
    """Does a signal ask for it?"""
    return number == signal.SIGTSTP


def suspend(children: Iterable[Child]) -> None:
    """Stop them and this process; return when it goes on, and they do.

    One that somebody had stopped before is left to him.
    """
    running = [child for child in children if not child.stopped]
    for child in running:
        _send(child, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    for child in running:
        _send(child, signal.SIGCONT)


def _send(child: Child, number: int) -> None:
    """Send a signal to a process and, where it leads a group, to what it has started."""
    if not child.own_group:
        child.signal(number)
        return
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return  # it has ended meanwhile, and will be reaped
