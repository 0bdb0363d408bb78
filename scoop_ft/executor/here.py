"""An `Executor` inside a run: its calls go to the run's workers.

In the script of ``scoop-ft run`` the futures are served by a thread of their own.  A task has but
one thread, which must not sleep while others of its worker's tasks could run: what a task submits
to an executor is called at once, in the task; its `map` goes to the run's workers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..client.groups import as_ranges
from ..client.runtime import Runtime
from .future import Future
from .serving import Server


class ScriptsRun:
    """The run whose script this is.

    Attributes
    ----------
    runtime : Runtime
    server : Server
    workers : int
        How many calls can run at the same time, as far as it is known.
    """

    workers = 1

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.server = Server(runtime, lambda: None, self._end)

    def start(self) -> None:
        """Begin to serve the futures."""
        self.server.start()

    def tell_imports(self) -> None:
        """The root's finder has told it."""

    def end(self, *, at_once: bool) -> None:
        """End when nothing is waited for; the run goes on.

        ``at_once``: without what is not done, which nobody would take, and others would wait for.
        """
        if at_once:
            self.server.cancel(as_ranges(self.server.unfinished()), subtree=True)
        self.server.end(at_once=at_once)

    def _end(self) -> None:
        self.server.abandon()


def call_now(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    translate: Callable[[BaseException], BaseException],
) -> Future:
    """Call a function here; return a future that is done."""
    future = Future()
    future.set_running_or_notify_cancel()
    try:
        value = func(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for
        future.set_exception(translate(error))
    else:
        future.set_result(value)
    return future
