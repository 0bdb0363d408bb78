"""Functions to bytes and back, what they are known by, and what people call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scoop_ft import references, script
from scoop_ft.culprits import bare, unpicklable
from scoop_ft.optioned import plain
from scoop_ft.pickling import dumps, dumps_meaning, load
from scoop_ft.wire.frames import Buffer


def dump_function(func: Callable[..., Any]) -> tuple[bytes, str]:
    """Return a function's pickle and its name for people.

    Raises
    ------
    UnpicklableError
        It cannot be pickled.
    """
    name = function_name(func)
    try:
        payload, _ = dumps(func, large_apart=False)
    except Exception as cause:
        raise unpicklable(f"function {name}", "it", func, bare(cause)) from cause
    return payload, name


def identity(func: Callable[..., Any], blob: bytes) -> bytes:
    """Return the bytes by which a function is known, given its pickle.

    They are the same after its code was moved, commented or formatted.
    """
    return blob if references.goes_by_name(func) else dumps_meaning(func)


def load_function(blob: Buffer) -> Callable[..., Any]:
    """Return the function of a pickle made by `dump_function`."""
    func: Callable[..., Any] = plain(load(blob))
    return func


def function_name(func: Any) -> str:
    """Return a function's name for people: ``module.name``, or where a lambda stands."""
    while hasattr(func, "func") and hasattr(func, "keywords"):  # partials, also those of toolboxes
        func = func.func
    name = getattr(func, "__qualname__", None)
    code = getattr(func, "__code__", None)
    if name is not None and name.endswith("<lambda>") and code is not None:
        file = code.co_filename.replace("\\", "/").rpartition("/")[2]
        return f"{file}:{code.co_firstlineno} <lambda>"
    if name is None:
        name = getattr(func, "__name__", None)  # numpy's ufuncs have only this
        module = getattr(func, "__module__", None)
        if name is None:
            name, module = type(func).__qualname__, type(func).__module__
    else:
        module = getattr(func, "__module__", None)
    if module is None:  # methods of C types
        module = type(getattr(func, "__self__", None)).__module__
    return name if module == "builtins" else f"{script.module_for_people(module)}.{name}"
