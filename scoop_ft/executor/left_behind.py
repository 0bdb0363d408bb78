"""Folders of programs in the temporary directory: made here, and removed when nobody has them.

A program that is killed takes its broker and workers with it, and cannot remove what it has there:
its journal, or a copy of a key.  So the next program does, where a mark tells that a folder was
meant to go, and a lock that its owner is gone.  Whatever else is called so is somebody's own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from typing import Final

from ..errors import RunError
from ..launch.lock import RunLock
from ..rundir import TEMPORARY, RunDir

RUN: Final = "scoop-ft-run-"  # a whole run
ROOT: Final = "scoop-ft-root-"  # what a program needs that has joined one elsewhere
YOUNG_S: Final = 60.0  # its owner may not have locked it yet


def new_folder(kind: str) -> RunDir:
    """Make a folder of our own, to be locked, and marked then; remove what others have left."""
    remove_left()
    return RunDir(tempfile.mkdtemp(prefix=kind))


def mark(folder: RunDir) -> None:
    """Let a folder go if its owner, who has locked it, should be killed."""
    (folder.path / TEMPORARY).touch()


def remove_left() -> None:
    """Remove the folders of this user's programs that are gone."""
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [e.path for e in entries if e.name.startswith((RUN, ROOT)) and _may_go(e)]
    for path in found:
        lock = RunLock(RunDir(path))
        try:
            lock.acquire(patience_s=0.0)
        except (RunError, OSError):
            continue  # somebody has it
        shutil.rmtree(path, ignore_errors=True)
        lock.release()


def _may_go(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
        ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        marked = entry.is_dir(follow_symlinks=False) and os.path.exists(f"{entry.path}/{TEMPORARY}")
        return ours and marked and _is_old(status.st_mtime)
    except OSError:
        return False  # it has just gone


def _is_old(changed: float) -> bool:
    return time.time() - changed > YOUNG_S
