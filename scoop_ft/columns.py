"""Many calls or results that are numbers to their pickles at once, and back.

What is packed or sent together mostly has one form: the calls of a map over a `range`, the numbers
that it returns.  Their pickles differ in a few bytes at the same places, so they can be written and
read as columns, in C: byte for byte what `pickle` writes, which a property of the tests holds
against it.  Nobody who reads them need know.  What has another form is left to the caller.
"""

from __future__ import annotations

import functools
import pickle
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from scoop_ft.wire.frames import Buffer

LEAST: Final = 8  # with fewer, a pickle for each costs no more
MOST: Final = 3  # numbers in a call
WIDEST: Final = 64  # no pickle here is as long
MULTIPLES: Final = 4_096  # ends that are kept ready, for each size of a pickle
KINDS: Final = frozenset({int, float, bool, type(None)})  # nobody's code pickles these

_HEAD: Final = b"\x80\x05"
_FRAME: Final = 0x95  # behind the head, with the size of the rest, where this is 4 bytes or more
_FRAME_BYTES: Final = 9
_STOPS: Final = {b".": -1, b"\x85\x94.": 1, b"\x86\x94.": 2, b"\x87\x94.": 3}
_NATIVE: Final = sys.byteorder == "little"


class _Field(NamedTuple):
    """A number in a pickle: which values have this form, and how its bytes are read."""

    code: bytes
    typecode: str  # of the array that holds a column of them
    width: int
    swapped: bool  # its bytes stand in big-endian order


_FIELDS: Final = (
    _Field(b"K", "B", 1, False),
    _Field(b"M", "H", 2, not _NATIVE),
    _Field(b"J", "i", 4, not _NATIVE),
    _Field(b"G", "d", 8, _NATIVE),
    _Field(b"N", "", 0, False),
    _Field(b"\x88", "", 0, False),
    _Field(b"\x89", "", 0, False),
)
_BY_CODE: Final = {field.code[0]: field for field in _FIELDS}
_K, _M, _J, _G = _FIELDS[:4]
_CONSTANTS: Final = {
    field.code[0]: value for field, value in zip(_FIELDS[4:], (None, True, False), strict=True)
}


class _Form(NamedTuple):
    """Where the numbers stand in a pickle, and all of it but them."""

    arity: int  # of the tuple; -1: it is none
    places: list[tuple[_Field, int]]
    blank: bytes


# ---- to pickles ----------------------------------------------------------------------------------


def dump(records: Sequence[Any], arity: int) -> tuple[bytes, int] | None:
    """Return the pickles of many numbers, or of tuples of ``arity`` of them, and the size of each.

    None when they have not all the same form.  ``arity`` is -1 for numbers, 1 to 3 for tuples.

    Examples
    --------
    >>> dump([7, 8, 9], -1)
    (b'\\x80\\x05K\\x07.\\x80\\x05K\\x08.\\x80\\x05K\\t.', 5)
    >>> dump([7, "eight"], -1) is None
    True
    """
    first = records[:1] if arity < 0 else records[0]
    if not (0 < len(first) <= MOST and KINDS.issuperset(map(type, first))):
        return None
    if arity > 0 and set(map(len, records)) != {arity}:
        return None
    columns = [records] if arity < 0 else list(zip(*records, strict=True))
    arrays = []
    for column in columns:
        found = _column(column)
        if found is None:
            return None
        arrays.append(found)
    template = pickle.dumps(records[0], 5)
    form = _form(template)
    if form is None:
        return None
    width, count = len(template), len(records)
    payload = bytearray(template * count)
    for (field, place), values in zip(form.places, arrays, strict=True):
        for at in range(field.width):
            payload[place + at :: width] = values[at :: field.width]
    return bytes(payload), width


def ends(base: int, width: int, count: int) -> array[int]:
    """Return where each of so many objects ends that stand behind ``base`` bytes."""
    before, rest = divmod(base, width)
    if not rest and before + count <= MULTIPLES:
        return _multiples(width)[before : before + count]
    return array("I", range(base + width, base + width * count + 1, width))


@functools.lru_cache(maxsize=32)
def _multiples(width: int) -> array[int]:
    return array("I", range(width, width * MULTIPLES + 1, width))


def dump_each(values: Sequence[Any]) -> tuple[bytes, array[int]]:
    """Return the pickles of numbers of any forms, and where each ends."""
    dumped = dump(values, -1) if len(values) >= LEAST else None
    if dumped is not None:
        return dumped[0], ends(0, dumped[1], len(values))
    pickles = [pickle.dumps(value, 5) for value in values]
    return b"".join(pickles), array("I", accumulate(map(len, pickles)))


def _column(values: Sequence[Any]) -> bytes | None:
    """Return numbers as their pickles hold them, one behind the other; None: not of one form."""
    kinds = set(map(type, values))
    if len(kinds) > 1:
        return None
    kind = kinds.pop()
    if kind is int:
        field = _width(min(values), max(values))
    elif kind is float:
        field = _G
    else:
        same = kind in KINDS and all(value is values[0] for value in values)
        return b"" if same else None
    if field is None:
        return None
    packed = array(field.typecode, values)
    if field.swapped:
        packed.byteswap()
    return packed.tobytes()


def _width(low: int, high: int) -> _Field | None:
    """Return the form of all integers from ``low`` to ``high``; None: they have several."""
    if low >= 0 and high <= 0xFF:
        return _K
    if low >= 0x100 and high <= 0xFFFF:
        return _M
    signed = low >= -0x8000_0000 and high <= 0x7FFF_FFFF
    if signed and (low > 0xFFFF or high < 0):
        return _J
    return None


# ---- from pickles --------------------------------------------------------------------------------


def load(payload: Buffer, places: Buffer, base: int) -> Iterable[Any] | None:
    """Return the objects whose pickles end there; None when they have not all the same form.

    Parameters
    ----------
    payload : bytes-like
    places : bytes-like
        Where each ends, a native u32, ``base`` more than its place in the payload.
    base : int

    Examples
    --------
    >>> list(load(pickle.dumps((1.5,), 5) + pickle.dumps((2.5,), 5), ends(0, 23, 2), 0))
    [(1.5,), (2.5,)]
    """
    places = memoryview(places).cast("B")
    count = len(places) // 4
    width = int.from_bytes(places[:4], sys.byteorder) - base
    if not 0 < width <= WIDEST or len(payload) != width * count:
        return None
    form = _form(bytes(payload[:width]))
    if form is None or places != memoryview(ends(base, width, count)).cast("B"):
        return None
    content = bytearray(payload)
    columns = [_take(content, field, place, width, count) for field, place in form.places]
    if content != form.blank * count:
        return None
    return columns[0] if form.arity < 0 else zip(*columns, strict=True)


def _take(content: bytearray, field: _Field, place: int, width: int, count: int) -> list[Any]:
    """Take a column of numbers out; zeros stand in their place then."""
    if not field.width:
        return [_CONSTANTS[field.code[0]]] * count
    zeros, raw = bytes(count), bytearray(field.width * count)
    for at in range(field.width):
        raw[at :: field.width] = content[place + at :: width]
        content[place + at :: width] = zeros
    values = array(field.typecode, bytes(raw))
    if field.swapped:
        values.byteswap()
    return values.tolist()


def _form(template: bytes) -> _Form | None:
    """Return a pickle's form; None: it is not one of numbers."""
    framed = len(template) > 2 and template[2] == _FRAME
    at = 2 + _FRAME_BYTES * framed
    size = len(template) - at
    if template[:2] != _HEAD or framed != (size >= 4):
        return None
    if framed and int.from_bytes(template[3:at], "little") != size:
        return None
    places: list[tuple[_Field, int]] = []
    while (arity := _STOPS.get(template[at:])) is None:
        field = _BY_CODE.get(template[at]) if at < len(template) else None
        if field is None or len(places) == MOST:
            return None
        places.append((field, at + 1))
        at += 1 + field.width
    if len(places) != abs(arity):
        return None
    blank = bytearray(template)
    for field, place in places:
        blank[place : place + field.width] = bytes(field.width)
    return _Form(arity, places, bytes(blank))
