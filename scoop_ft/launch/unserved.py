"""Before workers join a run by its directory: does anybody serve it, and will somebody again?"""

from __future__ import annotations

import os

from ..client.asking import LIMIT_S, ask
from ..errors import RunError
from ..rundir import RunDir
from .launcher import journal_summary
from .lock import is_locked


def look(directory: RunDir) -> str:
    """Return what to say when nobody serves a run now; empty when somebody does.

    Raises
    ------
    RunError
        The run is finished, or no worker can work in its directory.
    """
    text = "" if is_locked(directory) else _state(directory)
    if not os.access(directory.path, os.W_OK):
        raise RunError(
            f"workers keep their logs in {directory.path}, and that cannot be written: join the "
            "run by its address, 'scoop-ft worker tcp://HOST:PORT --keys DIR'"
        )
    return text


def _state(directory: RunDir) -> str:
    if ask(directory, LIMIT_S) is not None:  # a broker without a launcher
        return ""
    info = directory.info()
    run = directory.called
    state = journal_summary(directory, unsafe_filesystem=info.unsafe_filesystem)["state"]
    if not info.script or info.import_path:  # it is never over for good
        again = f"the program that made it, or 'scoop-ft serve {run}', goes on with it"
    elif state == "done":
        raise RunError(f"the run {run} is finished: nothing is left for workers to do")
    else:
        again = f"'scoop-ft resume {run}' goes on with it"
    return f"nobody serves the run {run} now: {again}; waiting (Ctrl-C ends this)"
