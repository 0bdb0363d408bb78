"""What is asked of the process that loads recorded values, and what it answers.

A `Start`, then any number of `Show` and `Compare`, each answered with a list as long as what it
asks about.  Each message stands behind its length.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

from ..wire.messages import Status

LENGTH = struct.Struct("<Q")


class Start(msgspec.Struct, array_like=True):
    """The first message: the script, and whence it was run."""

    script: str
    args: list[str]
    path: str


# ---- values as a whole --------------------------------------------------------------------------


class Item(msgspec.Struct, array_like=True):
    """A task's call, and its result where it has one."""

    name: str
    function: str
    digest: bytes
    arguments: bytes
    buffers: list[bytes]
    result: bytes | None = None
    result_buffers: list[bytes] = []


class Show(msgspec.Struct, array_like=True, tag=True):
    """Items to be shown in one way, with the functions' pickles by digest; answer: `bytes` each."""

    how: str  # a key of `shown.HOW`
    functions: dict[bytes, bytes]
    items: list[Item]


# ---- where two differ ---------------------------------------------------------------------------


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


class Compare(msgspec.Struct, array_like=True, tag=True):
    """Pairs to be compared; answer: a `Difference` each."""

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


# ---- on the way ---------------------------------------------------------------------------------


def send(target: BinaryIO, message: bytes) -> None:
    """Write a message, its length first."""
    target.write(LENGTH.pack(len(message)))
    target.write(message)
    target.flush()


def receive(source: BinaryIO) -> bytes | None:
    """Read a message; None at the end."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = source.read(length)
    return message if len(message) == length else None
