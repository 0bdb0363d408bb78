"""Where a run's script is now, when its folder was moved, renamed or deleted since.  Only looks."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ..rundir import PARENT, RunDir, RunInfo


def followed(info: RunInfo, *folders: Path) -> RunInfo:
    """Return how the run is started from the first folder in which its script stands as it did.

    It is as recorded where the recorded script is there, or stands in none of them.
    """
    if not is_gone(info):
        return info
    script = Path(info.script)
    if not script.is_relative_to(info.cwd):
        return info
    for folder in folders:
        now = Path(os.path.abspath(folder)) / script.relative_to(info.cwd)
        if now.is_file():
            path = os.path.dirname(os.path.realpath(now))
            return msgspec.structs.replace(
                info, cwd=os.path.abspath(folder), script=os.fspath(now), path=path
            )
    return info


def is_gone(info: RunInfo) -> bool:
    """Is the script not where it was?"""
    return bool(info.script) and not os.path.exists(info.script)


def holder(directory: RunDir) -> Path:
    """Return the folder that holds a run directory: it may have been moved together with it."""
    above = directory.path.parent
    return above.parent if above.name == PARENT else above


def to_look(directory: RunDir) -> RunInfo:
    """Return how what a run has made is loaded here and now: some folder there is always."""
    info = followed(directory.info(), holder(directory), Path.cwd())
    if not os.path.isdir(info.cwd):
        info = msgspec.structs.replace(info, cwd=os.getcwd())
    return info
