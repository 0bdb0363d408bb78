"""A terminal, as far as a run needs one: a pty, and what stands on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 30.0
ROWS, COLUMNS = 8, 80
_PIECES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[^\x1b]", re.DOTALL)


class Terminal:
    """Runs a command; knows its rows as they are seen, and refuses sequences it does not know."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._screen = [[" "] * COLUMNS for _ in range(ROWS)]
        self.gone: list[str] = []  # rows that were scrolled away
        self._row = self._column = 0
        self._saved = (0, 0)
        self._rest = b""

    def rows(self) -> list[str]:
        """Return all rows that were ever written, those on the screen last."""
        return [*self.gone, *("".join(row).rstrip() for row in self._screen)]

    def cursor_row(self) -> str:
        """Return the row in which the cursor stands, up to it."""
        return "".join(self._screen[self._row][: self._column])

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, truth: Callable[[], object]) -> None:
        """Take in what is written until something is true."""
        deadline = time.monotonic() + LIMIT_S
        while not truth():
            assert time.monotonic() < deadline, self.rows()
            self._read(0.02)

    def finish(self) -> int:
        """Take in all; return the exit code."""
        while self._read(LIMIT_S):
            pass
        return self.process.wait(LIMIT_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _read(self, within_s: float) -> bool:
        if not select.select([self._ours], [], [], within_s)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # everybody else has closed it
            return False
        whole = (self._rest + data).decode("utf-8", "ignore")
        self._rest = b""
        cut = whole.rfind("\x1b")
        if cut >= 0 and _PIECES.fullmatch(whole[cut:]) is None and len(whole) - cut < 3:
            whole, self._rest = whole[:cut], whole[cut:].encode()
        for piece in _PIECES.findall(whole):
            self._take(piece)
        return bool(data)

    def _take(self, piece: str) -> None:
        if piece == "\r":
            self._column = 0
        elif piece in ("\n", "\x1bD"):
            self._down()
        elif piece == "\x1b[A":
            self._row = max(0, self._row - 1)
        elif piece == "\x1b7":
            self._saved = (self._row, self._column)
        elif piece == "\x1b8":
            self._row, self._column = self._saved
        elif piece == "\x1b[2K":
            self._screen[self._row] = [" "] * COLUMNS
        elif piece in ("\x1b[K", "\x1b[J"):
            column = min(self._column, COLUMNS - 1)  # behind the last one there is none
            self._screen[self._row][column:] = [" "] * (COLUMNS - column)
            below = ROWS - self._row - 1 if piece == "\x1b[J" else 0
            self._screen[ROWS - below :] = [[" "] * COLUMNS for _ in range(below)]
        elif not piece.startswith("\x1b"):
            self._put(piece)
        else:
            assert piece.endswith("m"), f"what is {piece!r}?"

    def _put(self, character: str) -> None:
        if self._column == COLUMNS:
            self._column = 0
            self._down()
        self._screen[self._row][self._column] = character
        self._column += 1

    def _down(self) -> None:
        if self._row < ROWS - 1:
            self._row += 1
            return
        self.gone.append("".join(self._screen.pop(0)).rstrip())
        self._screen.append([" "] * COLUMNS)
