"""What the user's code has printed, and how it leaves this process."""

from __future__ import annotations

import sys


def flush_output() -> None:
    """Let what was printed leave this process.

    There may be no such stream, or one of the user's own, which may do anything.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - nobody reads it, or it has nothing to flush
            continue


def by_lines() -> None:
    """Let each line leave as it is printed, where there is somewhere to go."""
    if sys.stdout is not None:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
