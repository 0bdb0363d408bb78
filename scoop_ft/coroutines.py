"""Functions that cannot be tasks, since their calls only give coroutines: refused where submitted.

A coroutine belongs to the event loop of its process.  Who calls the function elsewhere runs the
loop there, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .errors import UnpicklableError
from .optioned import plain


def refuse(func: Callable[..., Any]) -> None:
    """Refuse a function that is defined by ``async def``.

    Raises
    ------
    UnpicklableError
        It is one; the message says what to submit.
    """
    func = plain(func)
    if inspect.iscoroutinefunction(func):
        name = getattr(func, "__qualname__", None) or repr(func)
        raise UnpicklableError(
            f"{name} is async: a call gives a coroutine, which cannot be sent to another process; "
            f"submit a function that returns asyncio.run({name}(...))"
        )
