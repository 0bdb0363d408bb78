"""Keeps apart the tasks that wait in one process: what each of them finds as its own.

While a task waits for its children, its worker runs other tasks.  What one of those sets must not
be what the other computes with.  When tasks wait, and for what, is `runner`'s business.
"""

from __future__ import annotations

import contextvars
import sys


def copy(context: contextvars.Context) -> contextvars.Context:
    """Return a context whose changes concern nobody else; decimal's own is an object in it."""
    copied = context.copy()
    copied.run(_own_decimals)
    return copied


def _own_decimals() -> None:
    decimal = sys.modules.get("decimal")
    if decimal is not None:
        decimal.setcontext(decimal.getcontext().copy())
