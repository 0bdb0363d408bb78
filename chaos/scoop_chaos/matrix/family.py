"""Which processes belong to a case, whoever started them, so that none of them is left behind.

A process belongs to it when its environment carries the case's mark, when a process that belongs
to it is its parent, or when it was once seen to: systems detach their daemons, and some overwrite
their environment with a title.  Signals go to members only.
"""

from __future__ import annotations

import os
import signal
import time

import psutil

from ..signals import send

MARK = "SCOOP_CHAOS_CASE"
POLL_S = 0.02
LIMIT_S = 20.0


class Family:
    """The processes of one case.

    Parameters
    ----------
    mark : str
        What their environment has under `MARK`; no other case's has the same.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._known: dict[int, psutil.Process] = {}

    def environment(self) -> dict[str, str]:
        """Return this process's environment with the mark, for who is to be of the family."""
        return {**os.environ, MARK: self.mark}

    def adopt(self, pid: int) -> None:
        """Take in a process that was just started, before it can change what it looks like."""
        self._known[pid] = psutil.Process(pid)

    def members(self) -> list[psutil.Process]:
        """Return the members that live now, and remember them."""
        alive = {process.pid: process for process in psutil.process_iter() if _lives(process)}
        self._known = {
            pid: process for pid, process in self._known.items() if alive.get(pid) == process
        }
        for pid, process in alive.items():
            if pid not in self._known and self._is_marked(process):
                self._known[pid] = process
        parents = {pid: _parent(process) for pid, process in alive.items()}
        grown = True
        while grown:
            born = [p for p in alive if p not in self._known and parents[p] in self._known]
            self._known.update({pid: alive[pid] for pid in born})
            grown = bool(born)
        return list(self._known.values())

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(MARK) == self.mark)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            return False

    def named(self, words: str) -> list[psutil.Process]:
        """Return the members whose command line has these words."""
        return [process for process in self.members() if words in command_line(process)]

    def kill(self) -> None:
        """Kill all members, also those that they start meanwhile; return when none lives."""
        deadline = time.monotonic() + LIMIT_S
        while members := self.members():
            for member in members:
                send(member.pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                left = ", ".join(f"{m.pid} ({command_line(m)})" for m in members)
                raise RuntimeError(f"killed, and alive {LIMIT_S:.0f} s later: {left}")
            time.sleep(POLL_S)


def command_line(process: psutil.Process) -> str:
    """Return a process's command line, or nothing when it has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return 0
