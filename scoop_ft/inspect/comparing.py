"""Where two recorded calls or results differ, once they are loaded.

Runs user code, so it is for the process `values` only.
"""

from __future__ import annotations

import dataclasses
import inspect
import reprlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from ..wire.messages import Status
from .arguments import named
from .questions import Difference, Pair, Recorded

WIDTH = 60
AROUND = 20
MOST = 3  # places shown of one pair


def difference(pair: Pair) -> Difference:
    """Load and compare a pair."""
    try:
        return _compare(pair)
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        text = f"<cannot be loaded: {_brief(error)}>"
        return Difference(False, text, text, [])


def _compare(pair: Pair) -> Difference:
    load = _arguments if pair.old.function else _result
    old = load(pair.old)
    new = load(pair.new) if pair.new is not None else old
    if old.keys() != new.keys():
        return Difference(False, _show(pair, old), _show(pair, new), [])
    found = (one for name in old for one in _differences(name, old[name], new[name]))
    where = [(path, *_excerpts(a, b)) for path, a, b in islice(found, MOST)]
    return Difference(not where, _show(pair, old), _show(pair, new), where)


def _show(pair: Pair, named: Mapping[str, Any]) -> str:
    if not pair.old.function:
        return _brief(named[""])
    return ", ".join(
        _brief(value) if name.startswith("argument ") else f"{name}={_brief(value)}"
        for name, value in named.items()
    )


# ---- loading ------------------------------------------------------------------------------------


def _result(recorded: Recorded) -> dict[str, Any]:
    from ..payload import load

    if recorded.status == Status.LOST:
        return {"": msgspec.msgpack.decode(recorded.payload)}
    if recorded.status == Status.CANCELLED:
        return {"": "cancelled"}
    value = load(recorded.payload, recorded.buffers)
    return {"": value[0] if recorded.status == Status.RAISED else value}


def _arguments(recorded: Recorded) -> dict[str, Any]:
    """Return the arguments of a call by their names in the function, where it tells them."""
    from ..functions import load_function
    from ..payload import load

    loaded = load(recorded.payload, recorded.buffers)
    signature: inspect.Signature | None
    try:
        signature = inspect.signature(load_function(recorded.function))
    except (TypeError, ValueError):  # some functions in C do not tell
        signature = None
    return named(loaded, signature, spread=True)


# ---- comparing ----------------------------------------------------------------------------------


def _differences(path: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the innermost places at which two values differ."""
    if a is b or _same_pickle(a, b):
        return
    inside = list(_inside(a, b)) if type(a) is type(b) else []
    if not inside:
        if not _equal(a, b):
            yield path, a, b
        return
    for step, x, y in inside:
        yield from _differences(f"{path}{step}", x, y)


def _inside(a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the parts of two values of one type that have the same parts."""
    if isinstance(a, Mapping):
        if a.keys() == b.keys():
            yield from ((f"[{key!r}]", a[key], b[key]) for key in a)
    elif isinstance(a, (list, tuple)):
        if len(a) == len(b):
            yield from ((f"[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True)))
    elif dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        yield from ((f".{name}", getattr(a, name), getattr(b, name)) for name in names)
    elif hasattr(a, "dtype") and a.shape and a.shape == b.shape:
        yield from _elements(a, b)


def _elements(a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the elements of two arrays that differ."""
    differs = (a != b) & ~((a != a) & (b != b))
    for place in zip(*(axis[:4] for axis in differs.nonzero()), strict=True):
        index = tuple(int(i) for i in place)
        yield f"[{', '.join(map(str, index))}]", a[index].item(), b[index].item()


def _same_pickle(a: Any, b: Any) -> bool:
    from ..pickling import dumps

    (x, large_x), (y, large_y) = dumps(a), dumps(b)
    return x == y and [bytes(part) for part in large_x] == [bytes(part) for part in large_y]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, BaseException) and type(a) is type(b):
        return str(a) == str(b)
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - user code may raise anything
        return False


# ---- showing ------------------------------------------------------------------------------------


def _excerpts(a: Any, b: Any) -> tuple[str, str]:
    """Show two values, long ones from a little before the first difference."""
    x, y = _text(a), _text(b)
    if max(len(x), len(y)) <= WIDTH:
        return x, y
    same = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), 0)
    start = max(0, same - AROUND)
    return _cut(x, start), _cut(y, start)


def _cut(text: str, start: int) -> str:
    piece = text[start : start + WIDTH]
    return ("…" if start else "") + piece + ("…" if start + WIDTH < len(text) else "")


def _text(value: Any) -> str:
    try:
        return " ".join(repr(value).split())
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"


def _brief(value: Any) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = WIDTH
    try:
        return " ".join(short.repr(value).split())
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"
