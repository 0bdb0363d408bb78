"""A crew whose tasks are profiled: while a task waits, and between tasks, nothing is counted."""

from __future__ import annotations

from typing import Any

from .. import profiling
from .calls import Calls
from .runner import Crew, Runner
from .spans import Piece


class ProfiledCalls(Calls):
    """Calls with a profiler, which is on while user code runs."""

    plain = False

    def _run_one(self, runner: Runner, piece: Piece) -> None:
        profile = profiling.profile()
        profile.enable()
        try:
            super()._run_one(runner, piece)
        finally:
            profile.disable()


class ProfiledCrew(Crew):
    """A `Crew` whose calls are profiled, but not while they wait."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.calls = ProfiledCalls(self, self._slate)

    def _switch_away(self, runner: Runner) -> None:
        profile = profiling.profile()
        profile.disable()
        try:
            super()._switch_away(runner)
        finally:
            profile.enable()
