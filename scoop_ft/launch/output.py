"""What the processes of a run print: whole lines, above the progress bar, and into the logs.

A stream is cut into complete lines; an incomplete one (the prompt of an ``input()``) is shown when
it stays so for a moment.  Writing is done by a thread, so that a terminal that stands still or a
slow reader never keeps the launcher from watching its processes.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 0.2  # for the rest of a line
LONGEST_LINE: Final = 1 << 20  # cut here: memory is not endless
BACKLOG_BYTES: Final = 4 << 20  # more unwritten output than this: stop reading more
REDRAW_S: Final = 0.1
LOG_BYTES: Final = 50 << 20  # of what was printed last; as much of what was before is kept
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ROW_BELOW: Final = b"\x1bD\x1b[A"  # scrolls if there is none; the cursor stays in its column


class Lines:
    """Cuts what comes from one stream into whole lines."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._since = 0.0

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes in; return the complete lines there are now (empty for none)."""
        if not self._rest:
            self._since = now
        self._rest += data
        end = self._rest.rfind(b"\n") + 1
        if not end and len(self._rest) > LONGEST_LINE:
            end = len(self._rest)
        lines = bytes(self._rest[:end])
        if end:
            del self._rest[:end]
            self._since = now
        return lines

    def due(self) -> float | None:
        """Return when the incomplete line shall be shown; None when there is none."""
        return self._since + PATIENCE_S if self._rest else None

    def overdue(self, now: float) -> bytes:
        """Return, and forget, an incomplete line that waited long enough."""
        due = self.due()
        return self.flush() if due is not None and now >= due else b""

    def flush(self) -> bytes:
        """Return, and forget, the incomplete line."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest


class Tail:
    """The last lines of a stream."""

    def __init__(self, lines: int) -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._open = ""

    def feed(self, data: bytes) -> None:
        """Take in bytes as they come."""
        parts = (self._open + data.decode("utf-8", "replace")).split("\n")
        self._open = parts.pop()[-4096:]
        self._lines.extend(part[:4096] for part in parts)

    def lines(self) -> list[str]:
        """Return them, the oldest first."""
        return [*self._lines, self._open] if self._open else list(self._lines)


class Log:
    """A log file in the run directory; a full disk does not end a run because of it.

    Nor do weeks of prints fill the disk: a log that has become large gets the name of the older
    one (``worker-0.log.1``), whose place it takes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1  # until something is written: many a worker prints nothing
        self._size = 0
        self.failed = ""

    def write(self, data: bytes) -> None:
        """Append to it."""
        try:
            if self._descriptor < 0:
                self._open()
            if self._size >= LOG_BYTES:
                with contextlib.suppress(OSError):  # then this one goes on for as much again
                    self._begin_anew()
            self._size += os.write(self._descriptor, data)
            self.failed = ""
        except OSError as error:
            self.failed = str(error)

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _begin_anew(self) -> None:
        self._size = 0
        with contextlib.suppress(FileNotFoundError):  # somebody has taken it away
            os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
        older = self._descriptor
        self._open()
        os.close(older)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Screen:
    """Writes to the launcher's own stdout (1) and stderr (2), in a thread.

    Parameters
    ----------
    draw : callable or None
        Returns the progress bar as one line of bytes, without a line end; it is kept below all
        that is written, also below an incomplete line.  Called by the thread.
    quiet : bool
        Whether to leave out what is only good to know.
    redraw_s : float
        How often the bar is drawn anew.
    """

    def __init__(
        self,
        draw: Callable[[], bytes] | None = None,
        *,
        quiet: bool = False,
        redraw_s: float = REDRAW_S,
    ) -> None:
        self._draw = draw
        self._quiet = quiet
        self._redraw_s = redraw_s
        self._queue: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._bar = False  # whether one is on the terminal now
        self._line = b""  # incomplete, behind which the cursor stands
        self._drawn = 0.0
        self._broken: set[int] = set()
        self._thread = threading.Thread(target=self._work, name="screen", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that no more should be read."""
        return self._waiting_bytes > BACKLOG_BYTES

    def write(self, stream: int, data: bytes) -> None:
        """Have bytes written, later, in order."""
        with self._wake:
            self._queue.append((stream, data))
            self._waiting_bytes += len(data)
            self._wake.notify()

    def say(self, text: str) -> None:
        """Have a line of our own written on stderr."""
        self.write(2, f"scoop-ft: {text}\n".encode(errors="replace"))

    def note(self, text: str) -> None:
        """Say it unless quiet."""
        if not self._quiet:
            self.say(text)

    def close(self, patience_s: float | None = None) -> None:
        """Write what is left, take the bar away and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(patience_s)

    # ---- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._wake:
                if not self._queue and not self._closing:
                    self._wake.wait(self._redraw_s if self._draw else None)
                items, self._queue = self._queue, deque()
                self._waiting_bytes = 0
                closing = self._closing
            if items:
                self._erase()
            for stream, data in items:
                self._put(stream, data)
                self._line = (self._line + data).rpartition(b"\n")[2][-LONGEST_LINE:]
            if closing and not self._queue:
                self._erase()
                return
            self._show()

    def _show(self) -> None:
        """Draw the bar, unless it was drawn a moment ago or there is no place for it."""
        now = time.monotonic()
        if self._draw is None or (self._line and not _has_room_below(self._line)):
            return
        if self._bar and now - self._drawn < self._redraw_s:
            return
        line = self._draw()
        if not line:
            return
        if self._line:
            # The user may be typing an answer here, and may have come to the bar's row by Enter:
            # what is behind the cursor is the old bar.
            self._put(2, b"\x1b[J" + _ROW_BELOW + b"\x1b7\r\n" + line + b"\x1b8")
        else:
            self._put(2, b"\r" + line + b"\x1b[K")
        self._bar, self._drawn = True, now

    def _erase(self) -> None:
        if self._bar:
            self._put(2, b"\x1b[J" if self._line else b"\r\x1b[2K")
            self._bar = False

    def _put(self, stream: int, data: bytes) -> None:
        """Write all of it; a reader that has gone (EPIPE) is written to no more."""
        view = memoryview(data)
        while view and stream not in self._broken:
            try:
                view = view[os.write(stream, view) :]
            except BlockingIOError:
                time.sleep(0.01)  # somebody made our terminal non-blocking
            except OSError:
                self._broken.add(stream)


def _has_room_below(line: bytes) -> bool:
    """Tell whether the cursor is known to stand behind an incomplete line, in the same row.

    It is not where the line moves the cursor (it is a progress bar, too), or fills its last row.
    """
    from rich.cells import cell_len

    from .progress import terminal_width

    text = _COLOURS.sub("", line.decode("utf-8", "replace")).expandtabs()
    return text.isprintable() and cell_len(text) % terminal_width() != 0
