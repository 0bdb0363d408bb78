"""Calls and results loaded and shown: as lines of JSON, as pickles, as text for people.

Runs user code, so it is for the process `values` only.
"""

from __future__ import annotations

import inspect
import io
import json
import math
import pickle
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

from ..references import is_definition
from ..script import ROOT_NAME, WORKER_NAME
from .arguments import named
from .questions import Item
from .stand_ins import load_what_is_there

PICKLE_PROTOCOL = 3  # the last one without frames: pickles of it can stand behind each other
SHOWN = 2000  # characters of one value


# ---- loading ------------------------------------------------------------------------------------


def _call(item: Item, functions: dict[bytes, bytes]) -> dict[str, Any]:
    """Return the arguments of a call by their names in the function, where it tells them."""
    loaded = load_what_is_there(item.arguments, item.buffers)
    if item.digest not in _signatures:
        _signatures[item.digest] = _signature(functions.get(item.digest))
    return named(loaded, _signatures[item.digest], spread=False)


_signatures: dict[bytes, inspect.Signature | None] = {}


def _signature(function: bytes | None) -> inspect.Signature | None:
    """Return how a function is called; None where nobody tells, as some in C do not."""
    try:
        return inspect.signature(load_what_is_there(function or b"", []))
    except Exception:  # noqa: BLE001 - user code may raise anything
        return None


def _loaded(load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return _Unloadable(f"<cannot be loaded here: {type(error).__name__}: {error}>")


class _Unloadable:
    """Stands for a value; goes into no pickle."""

    def __init__(self, text: str) -> None:
        self._text = " ".join(text.split())

    def __repr__(self) -> str:
        return self._text

    def __reduce__(self) -> str:
        raise pickle.PicklingError(self._text)


def _parts(item: Item, functions: dict[bytes, bytes]) -> dict[str, Any]:
    arguments = _loaded(lambda: _call(item, functions))
    found = {"task": item.name, "function": item.function, "arguments": arguments}
    if item.result is not None:
        result = item.result
        found["result"] = _loaded(lambda: load_what_is_there(result, item.result_buffers))
    return found


# ---- showing ------------------------------------------------------------------------------------


def _json(item: Item, functions: dict[bytes, bytes]) -> bytes:
    """One line of JSON; what is no JSON stands as ``{"repr": text}``."""
    parts = _parts(item, functions)
    arguments = parts["arguments"]
    if isinstance(arguments, dict):
        parts["arguments"] = {str(name): plain_or_text(value) for name, value in arguments.items()}
    else:
        parts["arguments"] = plain_or_text(arguments)
    if "result" in parts:
        parts["result"] = plain_or_text(parts["result"])
    return json.dumps(parts, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def plain_or_text(value: Any) -> Any:
    """Return a value as JSON has it, or its text."""
    try:
        return plain(value)
    except Exception:  # noqa: BLE001 - whatever it is, it is no JSON
        return {"repr": text(value)}


def plain(value: Any) -> Any:
    """Return a value made of what JSON has.

    Raises
    ------
    TypeError
        It cannot be.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(part) for key, part in value.items()}
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # numpy's arrays and numbers
        return plain(value.tolist())
    raise TypeError(type(value).__name__)


def text(value: Any) -> str:
    """Return a value's ``repr``, whatever it does."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"


def _pickle(item: Item, functions: dict[bytes, bytes]) -> bytes:
    """A pickle without its head and end, to stand in a list; what has none stands as its text."""
    parts = _parts(item, functions)
    try:
        whole = _dumps(parts)
    except Exception:  # noqa: BLE001 - user code may raise anything
        whole = _dumps(_each_or_text(parts))
    return whole[2:-1]


def _each_or_text(parts: dict[str, Any]) -> dict[str, Any]:
    arguments = parts["arguments"]
    if isinstance(arguments, dict):
        arguments = {name: _picklable_or_text(value) for name, value in arguments.items()}
    found = {**parts, "arguments": arguments}
    return {name: _picklable_or_text(value) for name, value in found.items()}


def _picklable_or_text(value: Any) -> Any:
    try:
        _dumps(value)
    except Exception:  # noqa: BLE001 - user code may raise anything
        return {"repr": text(value)}
    return value


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _PicklesForMain(file, PICKLE_PROTOCOL).dump(value)
    return file.getvalue()


class _PicklesForMain(pickle.Pickler):
    """Has the script's classes and functions in ``__main__``, as the program that loads them."""

    def reducer_override(self, obj: Any) -> Any:
        if is_definition(obj) and obj.__module__ == WORKER_NAME:
            obj.__module__ = ROOT_NAME  # here, too, the script is known by that name
        return NotImplemented


def _text(item: Item, functions: dict[bytes, bytes]) -> bytes:
    """Lines for people: each argument, then the result."""
    return "\n".join(_lines(_parts(item, functions))).encode("utf-8", "backslashreplace")


def _lines(parts: dict[str, Any]) -> Iterator[str]:
    arguments = parts["arguments"]
    yield "arguments" if arguments else "arguments  none"
    if isinstance(arguments, dict):
        for name, value in arguments.items():
            sign = "" if name.startswith("argument ") else " ="
            yield f"  {name}{sign} {_short(value)}"
    else:
        yield f"  {_short(arguments)}"
    if "result" in parts:
        yield "result"
        yield f"  {_short(parts['result'])}"


def _short(value: Any) -> str:
    """Return a value's text, with the middle left out where it is long."""
    short = reprlib.Repr()
    short.maxlevel = 4
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxfrozenset = 40
    short.maxdeque = short.maxarray = 40
    short.maxstring = short.maxother = short.maxlong = SHOWN
    try:
        return short.repr(value).replace("\n", "\n  ")
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"


HOW: dict[str, Callable[[Item, dict[bytes, bytes]], bytes]] = {
    "jsonl": _json,
    "pickle": _pickle,
    "text": _text,
}
