"""Finds, inside an object that cannot be pickled, the part that is to blame, and says so.

Only reads objects, the way a person would look into them, and tries to pickle their parts.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from scoop_ft import script
from scoop_ft.errors import UnpicklableError
from scoop_ft.pickling import dumps

_DEPTH_MAX: Final = 6
_PARTS_MAX: Final = 1000  # of one object: an error must not take minutes


def unpicklable(what: str, path: str, value: Any, cause: Exception) -> UnpicklableError:
    path, culprit, reason = _explain(path, value, cause)
    if isinstance(reason, OverflowError):
        return UnpicklableError(
            f"{what} cannot be sent to another process: {path} is {culprit} of nearly 4 GiB or "
            "more; send it in parts, or write it to a file and send its name"
        )
    return UnpicklableError(
        f"{what} cannot be sent to another process: {path} is {culprit} ({reason}); "
        "make such things where they are used, and send what they are made of"
    )


def refusal(value: Any) -> Exception | None:
    """Return why an object cannot be pickled, None when it can."""
    try:
        dumps(value)
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return bare(error)
    return None


def bare(error: Exception) -> Exception:
    """Take off the traceback: it shows picklers, which help nobody."""
    error = error.with_traceback(None)
    error.__context__ = None
    return error


def _explain(path: str, value: Any, reason: Exception) -> tuple[str, str, Exception]:
    """Return the path of the innermost culprit, what it is, and why it cannot be pickled."""
    for _ in range(_DEPTH_MAX):
        if _refuses(value):
            break
        for step, part in islice(_parts(value), _PARTS_MAX):
            found = refusal(part)
            if found is not None:
                path, value, reason = path + step, part, found
                break
        else:
            break
    if path.startswith("it's "):
        path = "its " + path.removeprefix("it's ")
    return path, _describe(value), reason


def _refuses(value: Any) -> bool:
    """Tell whether a class says itself that it cannot be pickled: its parts are not to blame."""
    kind = type(value)
    if types.FunctionType not in (type(kind.__reduce__), type(kind.__reduce_ex__)):
        return False
    try:
        value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - user code may raise anything
        return True
    return False


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Walk the parts of an object and the steps that lead to them."""
    if isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
        return
    if isinstance(value, types.FunctionType):
        yield from _function_parts(value)
        return
    if isinstance(value, (type, types.ModuleType)):
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield f"[{key!r:.40}]", part
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield f"[{index}]", part
    elif hasattr(value, "func") and hasattr(value, "keywords"):  # a partial
        yield ".func", value.func
        yield ".args", value.args
        yield ".keywords", value.keywords
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict):
        for key, part in attributes.items():
            yield f".{key}", part


def _function_parts(func: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
        try:
            yield f"'s variable {name!r}", cell.cell_contents
        except ValueError:
            continue  # not bound yet: nothing is sent for it
    for name in func.__code__.co_names:
        if name in func.__globals__:
            yield f"'s global {name!r}", func.__globals__[name]
    for index, part in enumerate(func.__defaults__ or ()):
        yield f"'s default {index + 1}", part


def _describe(value: Any) -> str:
    name = script.full_name(type(value))
    return f"a {name}" if name[0].lower() not in "aeiou" else f"an {name}"
