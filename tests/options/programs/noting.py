"""What tasks of these programs do: note their start, and wait for files."""

from __future__ import annotations

import os
import time


def note(name: object) -> None:
    """Add a start to the ledger, in one write."""
    line = f"{name} {time.monotonic()} {os.getpid()}\n".encode()
    ledger = os.open("ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(ledger, line)
    os.close(ledger)


def wait_for(file: str) -> None:
    """Wait until a file is there."""
    while not os.path.exists(file):
        time.sleep(0.005)
