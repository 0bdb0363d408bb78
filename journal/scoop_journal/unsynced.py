"""The mark beside a journal that is written without syncing: by it a machine's crash is known.

What is written without syncing survives the death of any process: the kernel has it.  When the
machine stops, pages of the file are missing at random, and no check can be trusted to see that.  So
the mark is there from before the first such write until all is synced, and says during which start
of which machine it was made.  Decides nothing: ``condition`` does.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Final

import psutil

from .filesystem import sync_folder
from .layout import UNSYNCED_FILE

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
#: Where the start of a machine has no name but a time, which moves when its clock is set.
_CLOCKS_S: Final = 60.0


def this_boot() -> str:
    """Name the start of this machine since when its kernel has held what was written."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(psutil.boot_time())


def mark(folder: Path) -> None:
    """Say, on disk, that what is written from now on is not synced."""
    path = folder / UNSYNCED_FILE
    if path.exists() and lost_on(folder) is None:
        return  # that of an earlier writer; on a full disk there is no room for another
    fresh = folder / f"{UNSYNCED_FILE}.new"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(json.dumps({"boot": this_boot(), "host": socket.gethostname()}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(folder)


def unmark(folder: Path) -> None:
    """All is synced: nothing can be missing."""
    path = folder / UNSYNCED_FILE
    if path.exists():
        path.unlink()
        sync_folder(folder)


def lost_on(folder: Path) -> str | None:
    """Return the host that has stopped before all was synced; None when that cannot be."""
    try:
        note = json.loads((folder / UNSYNCED_FILE).read_text(encoding="utf-8"))
        boot, host = str(note["boot"]), str(note["host"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return "its machine"
    return None if _is_same(boot, this_boot()) else host


def _is_same(boot: str, other: str) -> bool:
    try:
        return abs(float(boot) - float(other)) < _CLOCKS_S
    except ValueError:
        return boot == other
