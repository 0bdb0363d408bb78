"""How the end of a process is told to people."""

from __future__ import annotations

import signal
import textwrap

from ..wire.messages import Gone


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def how_it_ended(code: int, by: int) -> str:
    """Say how a process ended: with an exit code, or ``by`` a signal."""
    return f"was killed by {signal_name(by)}" if by else f"exited ({code})"


def obituary(slot: int, gone: Gone, bad_starts: int, delay: float) -> str:
    """Say that a worker died, with its last words when it never comes up.

    Parameters
    ----------
    slot : int
        Its place.
    gone : Gone
        What the broker is told.
    bad_starts : int
        How often in a row a worker has died in this place as it started.
    delay : float
        Seconds until the next is started.
    """
    name = f"worker {slot} (pid {gone.pid}) {how_it_ended(gone.code, gone.signal)}"
    if bad_starts < 2:
        what = " while it ran a task" if gone.task else " as it started" * bad_starts
        what = ": the time limit of its task was over" if gone.overdue else what
        return f"{name}{what}; started again"
    then = f"trying again in {delay:.3g} s" if delay > 0 else "trying again"
    words = ":\n" + textwrap.indent(gone.stderr.strip(), "  ") if gone.stderr.strip() else ""
    return f"{name} as it started, {bad_starts} times in a row; {then}{words}"
