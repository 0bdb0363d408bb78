"""A crew whose tasks are profiled: while a task waits, and between tasks, nothing is counted."""

from __future__ import annotations

from .. import profiling
from .runner import Crew, Runner
from .spans import Span


class ProfiledCrew(Crew):
    """A `Crew` with a profiler, which is on while user code has the thread."""

    def _run_task(self, runner: Runner, span: Span, index: int) -> None:
        profile = profiling.profile()
        profile.enable()
        try:
            super()._run_task(runner, span, index)
        finally:
            profile.disable()

    def _switch_away(self, runner: Runner) -> None:
        profile = profiling.profile()
        profile.disable()
        try:
            super()._switch_away(runner)
        finally:
            profile.enable()
