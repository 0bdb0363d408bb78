"""Exceptions to bytes and back: as much of each as can travel.

One that cannot be pickled, or would arrive as something else, goes with its type, its arguments and
its attributes, without its ``__init__``; then without the attributes that cannot go; at last a
`RemoteError` stands for it.  With each goes the text of its traceback.
"""

from __future__ import annotations

import builtins
import copyreg
import re
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, Final

from scoop_ft import script
from scoop_ft.culprits import refusal
from scoop_ft.errors import RemoteError, RemoteTraceback
from scoop_ft.pickling import dumps, load
from scoop_ft.wire.frames import Buffer


def forms(error: BaseException, trace: str) -> Iterator[tuple[bytes, list[Buffer]]]:
    """Yield pickles of an exception and the text of its traceback, the best first."""
    for candidate in (error, _Revived(error, dict), _Revived(error, _that_can_go)):
        if candidate is error and _loses_slots(error):
            continue
        try:
            payload, frames = dumps((candidate, trace))
            arrived, _ = load(payload, frames)
            if not _same_error(error, arrived):
                continue
        except BaseException:  # noqa: BLE001 - whatever it is, the next form is tried
            continue
        yield payload, frames
    yield dumps((_stand_in(error), trace))  # made of texts only


def dump_exception(error: BaseException, trace: str) -> tuple[bytes, list[Buffer]]:
    """Return the best of its `forms`."""
    return next(forms(error, trace))


def load_exception(view: Buffer, buffers: Sequence[Buffer] = ()) -> BaseException:
    """Return an exception whose bytes are here; its cause shows the remote traceback."""
    try:
        error, trace = load(view, buffers)
    except Exception as why:  # noqa: BLE001 - its class may do anything when it is made
        stand_in = RemoteError(f"a task raised an exception that cannot be loaded here: {why!r}")
        stand_in.__cause__ = why
        return stand_in
    raised: BaseException = error
    raised.__cause__ = RemoteTraceback(trace)
    return raised


_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")  # of an object that has no text of its own
_Group: type[Any] | None = getattr(builtins, "BaseExceptionGroup", None)  # since Python 3.11


class _Revived:
    """Pickles an exception so that its ``__init__`` is not called again on arrival."""

    def __init__(
        self, error: BaseException, state_of: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        self.error = error
        self.state_of = state_of

    def __reduce__(self) -> tuple[Any, ...]:
        error, args = self.error, self.error.args
        if _Group is not None and isinstance(error, _Group):
            args = args[0], [_Revived(each, self.state_of) for each in error.exceptions]
        return revive, (type(error), args, self.state_of(_state(error)))


def _that_can_go(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that can be pickled."""
    return {name: value for name, value in state.items() if refusal(value) is None}


def revive(kind: type[BaseException], args: tuple[Any, ...], state: Any) -> BaseException:
    """Make an exception without its ``__init__``, which may ask for other arguments."""
    error: BaseException = kind.__new__(kind, *args)
    error.args = args
    for name in _slots(kind):
        if name in state:
            setattr(error, name, state.pop(name))
    error.__dict__.update(state)
    return error


def _loses_slots(error: BaseException) -> bool:
    """Tell whether pickle leaves out what is in slots: it does, unless the class sees to it."""
    kind = type(error)
    if isinstance(kind.__reduce__, FunctionType) or isinstance(kind.__reduce_ex__, FunctionType):
        return False
    return any(hasattr(error, name) for name in _slots(kind))


def _slots(kind: type[BaseException]) -> list[str]:
    names: list[str] = copyreg._slotnames(kind)  # type: ignore[attr-defined]
    return names


def _state(error: BaseException) -> dict[str, Any]:
    slots = {name: getattr(error, name) for name in _slots(type(error)) if hasattr(error, name)}
    return {**error.__dict__, **slots}


def _same_error(sent: BaseException, arrived: BaseException) -> bool:
    if type(arrived) is not type(sent):
        return False
    if len(arrived.args) != len(sent.args) and not _says_how(type(sent)):
        return False
    text = str(sent)
    if str(sent) != text:
        return True  # the clock may be part of it
    return _ADDRESS.sub("", str(arrived)) == _ADDRESS.sub("", text)


def _says_how(kind: type[BaseException]) -> bool:
    """Tell whether a class says itself how it is pickled: its ``args`` may then mean nothing."""
    return kind.__reduce__ is not BaseException.__reduce__


def _stand_in(error: BaseException) -> RemoteError:
    name = script.full_name(type(error))
    try:
        text = str(error)
    except BaseException as why:  # noqa: BLE001 - user code may raise anything
        text = f"<its text cannot be made: {type(why).__name__}>"
    return RemoteError(f"{name}: {text}" if text else name, name)
