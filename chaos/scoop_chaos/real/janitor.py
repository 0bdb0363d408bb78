"""Removes what a campaign needed: processes, mounts, namespaces, cgroups.

A process of its own: it is told through a pipe what there is, and undoes it when the pipe ends.  So
it is done on one and the same way after a good end, Ctrl-C and SIGKILL of the harness.  It removes
only what it was told of.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ..runs import left_in

LIMIT_S: Final = 10.0
POLL_S: Final = 0.02


class Janitor:
    """The harness's end of the pipe.  Use as a context."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scoop_chaos.real.janitor"],
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the harness
        )

    def __enter__(self) -> Janitor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.finish()

    def remember(self, kind: str, name: str) -> None:
        """Have something removed in the end; to be called before it is made.

        Parameters
        ----------
        kind : str
            ``processes`` (those that have to do with a folder), ``mount``, ``namespace`` or
            ``cgroup``.
        name : str
            Its path or name.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, name]).encode() + b"\n")
        self._process.stdin.flush()

    def finish(self) -> None:
        """Have all removed; return when it is."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait()


def quietly(*command: str) -> bool:
    """Run a command whose failure is no news; tell whether it succeeded."""
    return subprocess.run(command, capture_output=True).returncode == 0


def remove(kind: str, name: str) -> None:
    """Remove one thing; nothing is said when it is gone already."""
    if kind == "processes":
        left_in(Path(name), limit=0.0)
    elif kind == "mount":
        _retry(lambda: not os.path.ismount(name) or quietly("umount", name))
    elif kind == "namespace":
        quietly("ip", "netns", "del", name)
    elif kind == "cgroup":
        _retry(lambda: not os.path.exists(name) or _rmdir(name))


def _retry(done: Callable[[], bool]) -> None:
    """Try until it is done: killed processes hold on to things for a moment."""
    deadline = time.monotonic() + LIMIT_S
    while not done() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _rmdir(path: str) -> bool:
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def main(lines: Sequence[bytes]) -> None:
    """Undo what the lines say: processes first, which hold on to the rest; else the last first."""
    things = [json.loads(line) for line in reversed(lines)]
    for kind, name in sorted(things, key=lambda thing: thing[0] != "processes"):
        remove(kind, name)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(sys.stdin.buffer.readlines())
