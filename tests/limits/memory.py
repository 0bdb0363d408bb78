"""How much memory of its own each process of a run has, at most: looked at again and again.

Pages of files (code, the journal's map) are left out: the system takes them back when it needs
room.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from typing_extensions import Self

LOOK_S = 0.01


class Watch:
    """Looks at a launcher's or an agent's children while its ``with`` lasts.

    Attributes
    ----------
    peaks : dict of str to float
        By name (``root``, ``broker``, ``worker``), in MB; of several workers the largest.
    """

    def __init__(self, parent: int) -> None:
        self.peaks: dict[str, float] = {}
        self._parent = parent
        self._names: dict[int, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                for child in psutil.Process(self._parent).children():
                    self._look(child)
            except (OSError, psutil.Error):
                continue  # it has just ended, or begun

    def _look(self, child: psutil.Process) -> None:
        if child.pid not in self._names:
            words = [word for word in child.cmdline() if word.startswith("scoop_ft.")]
            if not words:
                return
            self._names[child.pid] = words[0].removeprefix("scoop_ft.")
        name = self._names[child.pid]
        self.peaks[name] = max(self.peaks.get(name, 0.0), anonymous_mb(child.pid))


def anonymous_mb(pid: int) -> float:
    """Return what a process has of memory that no file stands behind."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
