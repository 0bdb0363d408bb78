"""How the end of a process is told to people."""

from __future__ import annotations

import signal
import textwrap
from typing import Final

from ..wire.messages import Gone

LONGEST: Final = 300  # characters of somebody's last words that fit into a line
NO_DESCRIPTOR: Final = "Too many open files"
_LACKS: Final = {  # what the system says, and who runs into it can do
    NO_DESCRIPTOR: "allow more (ulimit -n), or start fewer workers (-n)",
    "Resource temporarily unavailable": "allow more processes (ulimit -u), or fewer workers (-n)",
    "can't start new thread": "allow more processes (ulimit -u), or fewer workers (-n)",
}


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def how_it_ended(code: int, by: int) -> str:
    """Say how a process ended: with an exit code, or ``by`` a signal."""
    return f"was killed by {signal_name(by)}" if by else f"exited ({code})"


def last_words(stderr: str) -> str:
    """Return the last line that a process has printed, and what helps where that is known."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    words = lines[-1][:LONGEST] if lines else ""
    helps = next((helps for lack, helps in _LACKS.items() if lack in words), "")
    return f"{words}: {helps}" if helps else words


def obituary(
    slot: int, gone: Gone, bad_starts: int, delay: float, *, given_up: bool = False
) -> str:
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
    given_up : bool
        It was killed since nobody wanted its task any more.
    """
    if not gone.pid:
        return _stillborn(slot, gone, bad_starts, delay)
    name = f"worker {slot} (pid {gone.pid}) {how_it_ended(gone.code, gone.signal)}"
    if bad_starts < 2:
        what = " while it ran a task" if gone.task else " as it started" * bad_starts
        if gone.overdue:
            what = ": the time limit of its task was over"
        elif given_up:
            what = ": its task was cancelled"
        return f"{name}{what}; started again"
    then = f"trying again in {delay:.3g} s" if delay > 0 else "trying again"
    words = ":\n" + textwrap.indent(gone.stderr.strip(), "  ") if gone.stderr.strip() else ""
    return f"{name} as it started, {bad_starts} times in a row; {then}{words}"


def _stillborn(slot: int, gone: Gone, bad_starts: int, delay: float) -> str:
    times = f", {bad_starts} times in a row" if bad_starts > 1 else ""
    then = f"trying again in {delay:.3g} s" if delay > 0 else "trying again"
    return f"worker {slot} could not be started{times}; {then}: {last_words(gone.stderr)}"
