"""Where the prints of workers and of the root go: the screen, line by line, and their logs.

Decides nothing about when they are read, nor what else the screen shows.
"""

from __future__ import annotations

import math
import time

from .agent import STDERR_LINES
from .output import Lines, Log, Screen, Tail


class WorkerOutput:
    """Where the prints of one worker go: the screen, its log, and the last words for a crash."""

    def __init__(self, log: Log, screen: Screen) -> None:
        self._log = log
        self._screen = screen
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        self.tail = Tail(STDERR_LINES)

    def feed(self, stream: str, data: bytes) -> None:
        """Take in what it printed."""
        self._log.write(data)
        if stream == "stderr":
            self.tail.feed(data)
        self._write(stream, self._lines[stream].feed(data, 0.0))

    def end(self) -> None:
        """Write incomplete lines as they are: nothing follows."""
        for stream, lines in self._lines.items():
            rest = lines.flush()
            if rest:
                self._write(stream, rest + b"\n")
        self._log.close()

    def _write(self, stream: str, data: bytes) -> None:
        if data:
            self._screen.write(1 if stream == "stdout" else 2, data)


class RootOutput:
    """The prints of the root, where they do not go to our own stdout and stderr directly."""

    def __init__(self, screen: Screen, log: Log) -> None:
        self._screen = screen
        self._log = log
        self._lines = {"stdout": Lines(), "stderr": Lines()}

    def feed(self, stream: str, data: bytes) -> None:
        """Take in what it printed."""
        self._log.write(data)
        self._write(stream, self._lines[stream].feed(data, time.monotonic()))

    def tick(self) -> None:
        """Show incomplete lines that have waited long enough."""
        for stream, lines in self._lines.items():
            self._write(stream, lines.overdue(time.monotonic()))

    def wait_s(self) -> float:
        """Return for how long `tick` has nothing to do."""
        due = [d for lines in self._lines.values() if (d := lines.due()) is not None]
        return max(0.0, min(due) - time.monotonic()) if due else math.inf

    def end(self) -> None:
        """Write what is left as it is."""
        for stream, lines in self._lines.items():
            self._write(stream, lines.flush())

    def close(self) -> None:
        """No script is started any more: close its log."""
        self._log.close()

    def _write(self, stream: str, data: bytes) -> None:
        if data:
            self._screen.write(1 if stream == "stdout" else 2, data)
