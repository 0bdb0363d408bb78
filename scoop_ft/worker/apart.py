"""Keeps apart the tasks that wait in one process: what each of them finds as its own.

While a task waits for its children, its worker runs other tasks.  What one of those sets must not
be what the other computes with: context variables, and what a process has only one of.  When tasks
wait, and for what, is `runner`'s business.
"""

from __future__ import annotations

import contextvars
import os
import sys
import warnings
from typing import Any


def copy(context: contextvars.Context) -> contextvars.Context:
    """Return a context whose changes concern nobody else; decimal's own is an object in it."""
    copied = context.copy()
    copied.run(_own_decimals)
    return copied


def _own_decimals() -> None:
    decimal = sys.modules.get("decimal")
    if decimal is not None:
        decimal.setcontext(decimal.getcontext().copy())


#: What a process has only one of, as somebody's code has left it: the current folder (empty: it was
#: removed, and nobody comes back to it), stdout, stderr, the filters of warnings and the two that
#: `warnings.catch_warnings` replaces with them.  Looked at twice for each task that waits, and
#: nearly always as before: so it is a plain tuple.
Place = tuple[bytes, Any, Any, Any, Any, Any]


def place() -> Place:
    """Return how the process is just now."""
    try:
        folder = os.getcwdb()
    except FileNotFoundError:
        folder = b""
    return (
        folder, sys.stdout, sys.stderr, warnings.filters, warnings.showwarning,
        warnings._showwarnmsg_impl,  # type: ignore[attr-defined]
    )  # fmt: skip


def put_back(before: Place, now: Place) -> None:
    """Let the process be again as it was before, in place of as it is now.

    Raises
    ------
    OSError
        The folder is not there any more; all else was put back.
    """
    folder, sys.stdout, sys.stderr, filters, showwarning, show = before
    if filters is not now[3]:  # equal ones may be two, of which one is changed later
        warnings.filters, warnings.showwarning = filters, showwarning
        warnings._showwarnmsg_impl = show  # type: ignore[attr-defined]
        _look_up_warnings_anew()
    if folder and folder != now[0]:
        os.chdir(folder)


def _look_up_warnings_anew() -> None:
    """Have Python forget, as when a filter is added, which warnings were shown or ignored."""
    changed = getattr(warnings, "_filters_mutated", None)
    if changed is not None:
        changed()


class StoppedLoop:
    """An event loop that stands still, since a coroutine in it waits for results of tasks."""

    def __init__(self, loop: Any) -> None:
        import asyncio

        self._loop = loop
        self._task = asyncio.current_task(loop)
        self._hooks = sys.get_asyncgen_hooks()
        # Since 3.12 there is one current task a thread, and no longer one a loop.
        self._swap_task = getattr(asyncio.tasks, "_swap_current_task", None)
        if self._swap_task is not None:
            self._swap_task(loop, None)
        asyncio._set_running_loop(None)
        sys.set_asyncgen_hooks(None, None)

    def go_on(self) -> None:
        """Let it be the loop that runs again."""
        import asyncio

        asyncio._set_running_loop(self._loop)
        if self._swap_task is not None:
            self._swap_task(self._loop, self._task)
        sys.set_asyncgen_hooks(*self._hooks)


def stop_loop() -> StoppedLoop | None:
    """Let other tasks run event loops of their own; None: none is running here."""
    asyncio = sys.modules.get("asyncio")  # imported for nobody
    running = getattr(asyncio, "_get_running_loop", None)
    loop = None if running is None else running()
    return None if loop is None else StoppedLoop(loop)
