"""Pickles and unpickles single objects.

Plain pickle is tried first, for it is twenty times faster than cloudpickle; `byvalue` takes what it
cannot do.  Large buffers are kept apart from the pickle (protocol 5).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

from scoop_ft import references, script
from scoop_ft.wire.frames import LARGEST, Buffer

OUT_OF_BAND_BYTES: Final = 64 * 1024
_BY_NAME: Final = references.DEFINITIONS
_reference = references.reference
_Separate = Callable[[pickle.PickleBuffer], bool]  # False: the buffer goes beside the pickle


class GoesByValue(Exception):
    """A function or class was met that plain pickle would refuse, or take for another."""


class PlainPickler(pickle.Pickler):
    """C speed for all that goes by name."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, _BY_NAME):  # this is asked of each instance of a class, too
            return NotImplemented
        reduced = _reference(obj)
        if reduced is None:
            raise GoesByValue
        return reduced


def load(view: Buffer, buffers: Sequence[Buffer] = ()) -> Any:
    """Return the object of a pickle and its large buffers.

    A read-only buffer is copied, for an array that was writable arrives writable; one that is
    writable becomes part of the object: the caller gives it away.
    """
    if not buffers:
        return load_small(view)
    return load_around(view, [_writable(buffer) for buffer in buffers])


def load_around(view: Buffer, parts: Sequence[Buffer]) -> Any:
    """Return the object of a pickle; its large buffers become part of it as they are."""
    try:
        return pickle.loads(view, buffers=parts)
    except (AttributeError, ImportError):
        # The script, when imported, may make things in other modules (creators of classes do).
        if not script.load_if_pending():
            raise
    return pickle.loads(view, buffers=parts)


def load_small(view: Buffer) -> Any:
    """Return the object of a pickle that has no large buffers."""
    try:
        return pickle.loads(view)
    except (AttributeError, ImportError):
        if not script.load_if_pending():
            raise
    return pickle.loads(view)


def _writable(buffer: Buffer) -> bytearray | memoryview:
    with_buffer = memoryview(buffer)
    return bytearray(with_buffer) if with_buffer.readonly else with_buffer


def dumps(value: Any, large_apart: bool = True) -> tuple[bytes, list[Buffer]]:
    """Pickle an object by itself."""
    frames: list[Buffer] = []
    file = io.BytesIO()
    separate = separator(frames.append) if large_apart else None
    try:
        PlainPickler(file, protocol=5, buffer_callback=separate).dump(value)
    except Exception:  # noqa: BLE001 - user code may raise anything; by value may still do
        return dumps_by_value(value, large_apart)
    require_fit(file.tell())
    return file.getvalue(), frames


def dumps_by_value(value: Any, large_apart: bool = True) -> tuple[bytes, list[Buffer]]:
    from scoop_ft.byvalue import ByValuePickler

    frames: list[Buffer] = []
    file: BinaryIO = io.BytesIO()
    separate = separator(frames.append) if large_apart else None
    ByValuePickler(file, separate).dump(value)
    require_fit(file.tell())
    file.seek(0)
    return file.read(), frames


def dumps_around(value: Any, least: int) -> tuple[bytes, list[memoryview]]:
    """Pickle an object without its buffers of ``least`` bytes or more, and without copying them."""

    def by_value(separate: _Separate) -> bytes:
        from scoop_ft.byvalue import ByValuePickler

        file = io.BytesIO()
        ByValuePickler(file, separate).dump(value)
        return file.getvalue()

    return _around(value, least, by_value)


def dumps_meaning(value: Any) -> bytes:
    """Pickle what `dumps` has pickled, without what says where the code in it stands."""
    return meaning_around(value, LARGEST + 1)[0]


def meaning_around(value: Any, least: int) -> tuple[bytes, list[memoryview]]:
    """Pickle like `dumps_meaning`, and like `dumps_around`."""

    def by_value(separate: _Separate) -> bytes:
        from scoop_ft.byvalue import dump_meaning

        return dump_meaning(value, separate)

    return _around(value, least, by_value)


def _around(
    value: Any, least: int, by_value: Callable[[_Separate], bytes]
) -> tuple[bytes, list[memoryview]]:
    views: list[memoryview] = []
    separate = _viewer(views, least)
    file = io.BytesIO()
    try:
        PlainPickler(file, protocol=5, buffer_callback=separate).dump(value)
    except Exception:  # noqa: BLE001 - as in `dumps`
        views.clear()
        return by_value(separate), views
    return file.getvalue(), views


def _viewer(views: list[memoryview], least: int) -> _Separate:
    def separate(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < least:
            return True
        require_fit(raw.nbytes)
        views.append(raw)
        return False

    return separate


def require_fit(size: int) -> None:
    """Raise OverflowError for what is more than a message, or a record of the journal, can hold."""
    if size > LARGEST:
        raise OverflowError(f"{size} bytes, and {LARGEST} at most can be sent in one piece")


def separator(keep: Callable[[Buffer], None]) -> Callable[[pickle.PickleBuffer], bool]:
    """Return a pickler's callback that keeps large buffers apart; True: leave it in the pickle."""

    def separate(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < OUT_OF_BAND_BYTES:
            return True
        require_fit(raw.nbytes)
        # The user may change an array after submitting it: what can change is copied now.
        keep(raw if _is_constant(raw) else bytes(raw))
        return False

    return separate


def _is_constant(raw: memoryview) -> bool:
    """Tell whether nobody can change this memory: only that of bytes.

    What is behind a read-only view may be written to, a frozen array can be thawed by its owner,
    and a file that is mapped for reading is written by others.
    """
    if not raw.readonly:
        return False
    owner: Any = raw.obj
    while True:
        base = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
        if base is None:
            break
        owner = base
    return type(owner) is bytes
