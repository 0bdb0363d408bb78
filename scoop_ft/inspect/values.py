"""``python -m scoop_ft.inspect.values``: shows where recorded calls or results differ.

A process of its own, for loading them runs user code.  Reads one `Question` from standard input
and writes the `Difference` of each pair to standard output; whatever the user's modules print goes
to standard error.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import reprlib
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from ..wire.messages import Status

WIDTH = 60
AROUND = 20
MOST = 3  # places shown of one pair


class Recorded(msgspec.Struct, array_like=True):
    """A pickle as it was recorded: a call's, with its function's, or a result's."""

    payload: bytes
    buffers: list[bytes]
    function: bytes = b""
    status: int = Status.OK


class Pair(msgspec.Struct, array_like=True):
    """Two to compare; without a second one the first is only shown."""

    old: Recorded
    new: Recorded | None


class Question(msgspec.Struct, array_like=True):
    """All that is asked of one process."""

    script: str
    args: list[str]
    pairs: list[Pair]


class Difference(msgspec.Struct, array_like=True):
    """How two differ.

    Attributes
    ----------
    equal : bool
        They are, whatever their bytes say.
    old, new : str
        Both as a whole: a call's arguments, or a result.
    where : list of (str, str, str)
        The places that differ: name, old value, new value.
    """

    equal: bool
    old: str
    new: str
    where: list[tuple[str, str, str]]


def main() -> int:
    """Answer one question."""
    answers_to = os.dup(1)
    os.dup2(2, 1)
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    from .. import script

    script.prepare_worker(question.script, question.args)
    found = [_difference(pair) for pair in question.pairs]
    with os.fdopen(answers_to, "wb") as out:
        out.write(msgspec.msgpack.encode(found))
    return 0


def _difference(pair: Pair) -> Difference:
    try:
        return _compare(pair)
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        text = f"<cannot be loaded: {_brief(error)}>"
        return Difference(False, text, text, [])


def _compare(pair: Pair) -> Difference:
    named = _named if pair.old.function else _result
    old = named(pair.old)
    new = named(pair.new) if pair.new is not None else old
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


def _named(recorded: Recorded) -> dict[str, Any]:
    """Return the arguments of a call by their names in the function, where it tells them."""
    from ..payload import load, load_function

    loaded = load(recorded.payload, recorded.buffers)
    args, kwargs = (loaded, {}) if isinstance(loaded, tuple) else loaded
    try:
        bound = inspect.signature(load_function(recorded.function)).bind(*args, **kwargs)
    except (TypeError, ValueError):  # some functions in C do not tell
        return {**{f"argument {i}": value for i, value in enumerate(args, 1)}, **kwargs}
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            named |= {f"{name}[{i}]": item for i, item in enumerate(value)}
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        else:
            named[name] = value
    return named


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


if __name__ == "__main__":
    sys.exit(main())
