"""Is it a task that fails, or does its machine lack something?  Asked where the root is not.

A module that is installed where the root runs, and not here, is no task's mistake: on another
machine it does not fail.  Reads the run's figures; ends nothing.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from ..errors import ScriptImportError
from ..launch.status import ask
from ..rundir import RunDir

ASK_S = 2.0


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
    module = (error.name or "").partition(".")[0]
    if not module or find_spec(module) is not None or module not in _named(run):
        return ""
    return f"this machine has no {module}, which the run's functions import"


def _named(run: RunDir) -> list[str]:
    stats = ask(run, ASK_S) or {}
    named: list[str] = (stats.get("environment") or {}).get("named", [])
    return named
