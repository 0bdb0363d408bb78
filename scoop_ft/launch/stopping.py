"""Why a run is stopped before its end: what is said, with which exit code, and with how much time.

Decides only; the `supervisor` does it.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final

RESUME_ME: Final = 75  # EX_TEMPFAIL: "try again later", for the script of a batch system
AT_ONCE_S: Final = 0.9  # somebody waits at the terminal
TO_SAVE_S: Final = 10.0  # nobody waits: tasks with checkpoints may save once more


@dataclass(frozen=True)
class Stop:
    """How a run is stopped.

    Attributes
    ----------
    words : str
        For people.
    exit_code : int
        The launcher's.
    patience_s : float
        So long workers and root have to end by themselves.
    """

    words: str
    exit_code: int
    patience_s: float


TIME_IS_OVER: Final = Stop("stopped: its time is over", RESUME_ME, TO_SAVE_S)
_BY_SIGNAL: Final = {  # by name: not every system has all of them
    "SIGINT": Stop("stopped", 130, AT_ONCE_S),
    "SIGTERM": Stop("stopped by SIGTERM", RESUME_ME, TO_SAVE_S),
    "SIGHUP": Stop("stopped by SIGHUP: its terminal was closed", 129, AT_ONCE_S),
    # What batch systems send some time before the end.
    "SIGUSR1": Stop("stopped by SIGUSR1", RESUME_ME, TO_SAVE_S),
}


def asked_by(number: int) -> Stop | None:
    """Return how a signal stops a run; None for one that does not."""
    return _BY_SIGNAL.get(signal.Signals(number).name)
