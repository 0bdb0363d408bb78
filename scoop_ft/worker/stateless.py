"""Decides whether one loaded copy of a callable serves many calls.

A call gets what its caller had when it was submitted, as with every pool: what an earlier call has
done to a method's object, to a partial's list or to a closure is none of its business, and which
calls come before it on a worker is chance.  So what can keep something is loaded for each call;
functions that go by name, and all that nobody can change, are loaded once.  Looks only.
"""

from __future__ import annotations

import functools
import types
from typing import Any, Final

from ..references import CACHED

DEPTH: Final = 8  # no partial of a closure of a partial is deeper

_CONSTANTS: Final = frozenset(
    {int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range}
)
_BY_NAME: Final = (
    type,
    types.ModuleType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)


def keeps_nothing(value: Any, depth: int = 0) -> bool:
    """Tell whether no call can leave anything in an object for the next one.

    Examples
    --------
    >>> keeps_nothing(functools.partial(pow, 2)), keeps_nothing(functools.partial(sum, [1, 2]))
    (True, False)
    """
    if type(value) in _CONSTANTS or isinstance(value, _BY_NAME):
        return True
    parts = _parts(value)
    return parts is not None and depth < DEPTH and all(keeps_nothing(x, depth + 1) for x in parts)


def _parts(value: Any) -> list[Any] | None:
    """Return what an object is made of; None where there may be more to it."""
    kind = type(value)
    if kind is tuple or kind is frozenset:
        return list(value)
    if kind is types.FunctionType:
        return _cells(value)
    if kind is CACHED:
        return [value.__wrapped__]  # its results are its process's
    if kind is functools.partial:
        return [value.func, *value.args, *value.keywords.values()]
    if kind is types.MethodType:
        return [value.__func__, value.__self__]
    if kind is types.BuiltinFunctionType:
        return [value.__self__]
    return None


def _cells(function: types.FunctionType) -> list[Any] | None:
    if function.__closure__ and _rebinds(function.__code__, set(function.__code__.co_freevars)):
        return None
    try:
        return [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # one that is empty: it may be filled
        return None


def _rebinds(code: types.CodeType, names: set[str]) -> bool:
    """Tell whether code, or a function defined in it, gives one of these names another value."""
    import dis

    mine = names.intersection(code.co_freevars)
    if any(
        each.opname in ("STORE_DEREF", "DELETE_DEREF") and each.argval in mine
        for each in dis.get_instructions(code)
    ):
        return True
    return any(_rebinds(x, mine) for x in code.co_consts if isinstance(x, types.CodeType))
