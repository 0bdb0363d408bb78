"""Functions that cannot be tasks, since their calls only give coroutines: refused where submitted.

A coroutine belongs to the event loop of its process.  Who calls the function elsewhere runs the
loop there, too.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, Final

from .errors import UnpicklableError
from .optioned import plain

_COROUTINE: Final = 0x80  # CO_COROUTINE: to import inspect for it would take longer than all else


def refuse(func: Callable[..., Any]) -> None:
    """Refuse a function that is defined by ``async def``.

    Raises
    ------
    UnpicklableError
        It is one; the message says what to submit.
    """
    func = plain(func)
    while isinstance(func, functools.partial):
        func = func.func
    code = getattr(func, "__code__", None)  # a method's is its function's
    if isinstance(code, types.CodeType) and code.co_flags & _COROUTINE:
        name = getattr(func, "__qualname__", None) or repr(func)
        raise UnpicklableError(
            f"{name} is async: a call gives a coroutine, which cannot be sent to another process; "
            f"submit a function that returns asyncio.run({name}(...))"
        )
