"""Compacts a journal, and kills itself at the n-th thing that it does to a file."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import scoop_journal

left = int(sys.argv[2])


def count(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: die when it is time."""
    global left
    if event in ("os.mkdir", "os.chmod", "os.remove", "os.rename", "os.rmdir", "open"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


os_fsync = os.fsync


def fsync(descriptor: int) -> None:
    """Sync, which has no audit event of its own."""
    count("open", ())
    os_fsync(descriptor)


os.fsync = fsync
sys.addaudithook(count)
scoop_journal.compact(sys.argv[1])
print("done")
