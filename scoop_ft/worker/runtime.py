"""A worker's runtime: its tasks submit to its own queue first, and wait as greenlets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..client.groups import Group
from ..client.handlers import whole
from ..client.link import Link
from ..client.runtime import Runtime
from ..client.scopes import Scope
from .runner import Crew
from .session import WorkerSession


class WorkerRuntime(Runtime):
    """What tasks that use futures stand on."""

    def __init__(self, session: WorkerSession, link: Link, crew: Crew) -> None:
        super().__init__(session, link)
        self._worker = session
        self._crew = crew

    def scope(self) -> Scope:
        """Return the task that calls."""
        return self._crew.scope()

    def flush(self) -> None:
        """End the open batch of the task that calls, if it has submitted something."""
        scope = self._crew.current().scope
        if scope is not None and scope.has_open():
            with scope.lock:
                self.close(scope)

    @whole
    def opened(self, scope: Scope) -> None:
        """The next flush looks at this parent."""
        with self.link.state:
            self._worker.opened(scope)

    @whole
    def close(self, scope: Scope) -> None:
        """Queue the open batch here, or send it when it may be recorded already."""
        with self.link.state:
            self._worker.close(scope)

    @whole
    def tell(self, scope: Scope) -> None:
        """Tell the broker of the parent too, and of what it has submitted."""
        super().tell(scope)
        with self.link.state:
            self._worker.flush()

    def is_leaving(self) -> bool:
        """Was this worker told to leave?"""
        return self._crew.leaving

    def keep_surroundings(self) -> None:
        """What is set in this process just now holds for all tasks that run here."""
        self._crew.keep_surroundings()

    def wait(
        self, ready: Callable[[], bool], groups: Iterable[Group], timeout_s: float | None
    ) -> bool:
        """Let other tasks run meanwhile."""
        self.flush()
        return self._crew.wait(ready, groups, timeout_s)

    def breathe(self) -> None:
        """Let other tasks run for a moment."""
        self.flush()
        self._crew.breathe()

    def after(self, scope: Scope, callback: Callable[[], None]) -> None:
        """Call something when the parent next waits, or ends."""
        self._crew.call_back(scope, callback)
