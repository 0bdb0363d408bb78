"""Is it a task that fails, or does its machine lack something?  Asked where the root is not.

A module that is installed where the root runs, and not here, is no task's mistake: on another
machine it does not fail.  Reads the run's figures, which the root completes a few seconds after it
has submitted a function: who meets a lack earlier waits for that.  Ends nothing.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from typing import Any, Final

from ..client.asking import ask
from ..errors import ScriptImportError
from ..rundir import RunDir

ASK_S: Final = 2.0
TOLD_S: Final = 10.0  # from a submission until the root has surely said what its functions import
MOST_S: Final = 60.0  # so long it may take where broker or root have just been started again

_nobodys: set[str] = set()  # modules that the root has not, either: their tasks fail at once


def of_this_machine(error: ImportError, run: RunDir, script: str) -> str:
    """Say what this machine lacks, after an import has failed; empty: the error is the task's own.

    Parameters
    ----------
    error : ImportError
    run : RunDir
        Where its broker is found.
    script : str
    """
    if isinstance(error, ScriptImportError):
        why = str(error).rstrip().rpartition("\n")[2]
        return f"this machine cannot import {os.path.basename(script)}: {why}"
    module = str(error.name or "").partition(".")[0]
    if not module or module in _nobodys or _is_here(module):
        return ""
    if not _is_named(module, run):
        _nobodys.add(module)
        return ""
    return f"this machine has no {module}, which the run's functions import"


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except Exception:  # noqa: BLE001 - of a module made by hand, or in a finder of the user's
        return True


def _is_named(module: str, run: RunDir) -> bool:
    """Ask whether a module is installed where the root runs, until it is sure to have said so."""
    began = time.monotonic()
    while True:
        environment: dict[str, Any] = (ask(run, ASK_S) or {}).get("environment") or {}
        if module in environment.get("named", ()):
            return True
        waited = time.monotonic() - began
        if waited >= (TOLD_S if environment.get("complete") else MOST_S):
            return False
        time.sleep(TOLD_S)
