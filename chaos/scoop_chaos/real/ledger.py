"""The ledger read back: calls that started and ended, and the script's own starts.

Reads what was appended since the last look; decides nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .noting import LEDGER

ROOT = "root:"


class Line(NamedTuple):
    """One line: a call (or the script) starts (``S``), ends (``E``) or raises (``X``)."""

    what: str
    key: str
    at: float
    pid: int
    place: str


class Ledger:
    """The ledger of a folder.

    Attributes
    ----------
    lines : list of Line
        All read so far, in the order in which they were written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER
        self.lines: list[Line] = []
        self._offset = 0

    def look(self) -> list[Line]:
        """Read on; return the new lines."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        new = [parse(line) for line in whole.decode().splitlines()]
        self.lines.extend(new)
        return new


def parse(text: str) -> Line:
    """Read one line."""
    what, key, at, pid, place = text.split()
    return Line(what, key, float(at), int(pid), place)


def open_calls(lines: list[Line], pid: int) -> list[Line]:
    """Return the starts of a process's calls that have not ended."""
    found: dict[str, Line] = {}
    for line in lines:
        if line.pid == pid and line.key != ROOT:
            if line.what == "S":
                found[line.key] = line
            else:
                found.pop(line.key, None)
    return list(found.values())
