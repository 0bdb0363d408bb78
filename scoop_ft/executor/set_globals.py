"""What an initializer has set with ``global``, for functions that travel by value.

Those that go by name find it in their module.  Each pickle of one that goes by value brings globals
of its own, with what they were in the program: those of the initializer's module get what it has
set, where they are here already, and as they arrive.  Runs in workers; what goes by value is
decided elsewhere.
"""

from __future__ import annotations

import functools
import gc
import operator
import sys
import types
from collections.abc import Callable
from typing import Any, Final

from .. import script

_CONTAINERS: Final = (dict, list, set)

_set: dict[str, dict[str, Any]] = {}  # by module


def call_and_hand_on(initializer: Callable[..., Any], initargs: tuple[Any, ...]) -> None:
    """Call an initializer; what it sets is found by the functions of its module."""
    function = _function_of(initializer)
    if function is None:
        initializer(*initargs)
        return
    before = _held(function.__globals__)
    initializer(*initargs)
    after = _held(function.__globals__)
    new = [name for name in after if not _same(after[name], before.get(name, []))]
    if new:
        _hand_on(_module_of(function), {name: function.__globals__[name] for name in new})


def _function_of(initializer: Callable[..., Any]) -> types.FunctionType | None:
    while isinstance(initializer, functools.partial):
        initializer = initializer.func
    found = getattr(initializer, "__func__", initializer)
    return found if isinstance(found, types.FunctionType) else None


def _held(namespace: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the object that each name stands for, and what is in those that hold others."""
    return {
        name: [value, *_inside(value)]
        for name, value in list(namespace.items())
        if name != "__builtins__"
    }


def _same(some: list[Any], others: list[Any]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _inside(value: Any) -> list[Any]:
    if not isinstance(value, _CONTAINERS):
        return []
    return [*value, *value.values()] if isinstance(value, dict) else list(value)


def _module_of(function: types.FunctionType) -> str:
    """Name a function's module; the script has more than one name."""
    return script.ROOT_NAME if function.__module__ in script.MODULE_NAMES else function.__module__


def _hand_on(module: str, new: dict[str, Any]) -> None:
    _set.setdefault(module, {}).update(new)
    for each in gc.get_objects():  # once a worker: calls that came with this one are loaded already
        if type(each) is types.FunctionType:
            _give(each)
    _see_what_arrives()


def _give(function: types.FunctionType) -> None:
    """Let a function find what was set, if it is one of that module."""
    new = _set.get(_module_of(function))
    if new is not None and not _goes_by_name(function):
        function.__globals__.update(new)


def _goes_by_name(function: types.FunctionType) -> bool:
    module = sys.modules.get(function.__module__)
    return module is not None and module.__dict__ is function.__globals__


@functools.cache
def _see_what_arrives() -> None:
    """Be called by cloudpickle for each function that it has made; once a process."""
    from cloudpickle import cloudpickle as internals  # type: ignore[import-untyped]

    fill = getattr(internals, "_function_setstate", None)  # private to it
    if fill is None:
        return

    @functools.wraps(fill)  # it is pickled, by its name, with what this worker sends
    def fill_and_give(function: types.FunctionType, state: Any) -> Any:
        filled = fill(function, state)
        _give(function)
        return filled

    internals._function_setstate = fill_and_give
