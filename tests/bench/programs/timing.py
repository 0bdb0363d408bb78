"""What moving bytes takes: the time by the clock, and that of processors."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from typing_extensions import Self

Figures = dict[str, float]


class Timing:
    """Times what is done while its ``with`` lasts.

    Parameters
    ----------
    size : int
        How many bytes are moved.
    processes : list of psutil.Process
        Whose processor time counts.

    Attributes
    ----------
    figures : dict
        ``bytes_s``: bytes a second; ``cpu_s``: seconds of processors for a GB.
    """

    def __init__(self, size: int, processes: list[psutil.Process]) -> None:
        self.figures: Figures = {}
        self._size = size
        self._processes = processes

    def __enter__(self) -> Self:
        self._spent = self._spend()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        took = time.perf_counter() - self._began
        spent = self._spend() - self._spent
        self.figures = {"bytes_s": self._size / took, "cpu_s": spent / self._size * 1e9}

    def _spend(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)
