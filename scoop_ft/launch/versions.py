"""Compares this machine with the run: before it gives workers to it, and on resume.

A worker with another Python cannot load what others have pickled by value, and one with another
numpy may compute something else: both are told apart before their first task.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..client.asking import ask
from ..environment import differences, together
from ..errors import RunError
from ..rundir import RunDir
from ..wire.messages import Environment

ASK_S: Final = 2.0
PAUSE_S: Final = 0.3
PATIENCE_S: Final = 3.0


def is_the_runs_own(directory: RunDir) -> bool:
    """Tell whether this Python is the very one that runs the script: nothing to compare."""
    live = directory.live()
    here = live is not None and live.host == socket.gethostname()
    return here and _is_this(directory.info().python)


def _is_this(python: str) -> bool:
    """Tell whether an interpreter is ours: a folder has it under several names."""
    same_folder = os.path.dirname(python) == os.path.dirname(sys.executable)
    return same_folder and os.path.realpath(python) == os.path.realpath(sys.executable)


class Check:
    """Is this machine as the run is?

    Parameters
    ----------
    directory : RunDir
        Where the broker's address and the keys are.
    say : callable
        Shows a line.
    otherwise : str
        What else can be done than to install the same.
    """

    def __init__(
        self, directory: RunDir, say: Callable[[str], None],
        otherwise: str = ", or start it with --any-versions",
    ) -> None:  # fmt: skip
        self._otherwise = otherwise
        self._directory = directory
        self._say = say
        self._compared: Any = None

    def before_start(self, hear: Callable[[bool], None]) -> None:
        """Wait until the run has said its versions, and compare; raises RunError.

        ``hear`` is told, again and again, whether a broker answers.
        """
        began = time.monotonic()
        told = False
        while True:
            stats = ask(self._directory, ASK_S, strict=True)
            hear(stats is not None)
            found = (stats or {}).get("environment")
            self.compare(found)
            if found is not None and found["complete"]:
                return
            if stats is not None and not told and time.monotonic() - began > PATIENCE_S:
                told = True
                self._say("the script has not said what it uses; waiting (Ctrl-C ends this)")
            time.sleep(PAUSE_S)

    def compare(self, found: Any) -> None:
        """Raise RunError if this machine cannot work for the run.

        Parameters
        ----------
        found : dict or None
            The run's versions, as its broker tells them.
        """
        refusal = self._refusal(found)
        if refusal:
            raise RunError(refusal)

    def _refusal(self, found: Any) -> str:
        """Say why this machine cannot work for the run, here and to the broker; empty: it can."""
        if found is None or found == self._compared:
            return ""
        different = differences(msgspec.convert(found, Environment))
        if not different:
            self._compared = found
            return ""
        text = f"this machine has {together(different)}"
        ask(self._directory, ASK_S, refused=text)
        return f"{text}: install the same{self._otherwise}"


def warning(found: Any) -> str:
    """Return what to say when a run is resumed with other versions; empty: they are the same."""
    different = differences(msgspec.convert(found, Environment))
    if not different:
        return ""
    has = f"this machine has {together(different)}"
    return f"warning: {has}: results from before and from now may differ"
