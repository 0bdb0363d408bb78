"""The kinds of journal records, and the headers that are no wire messages.

A record's kind says what its header is; ``docs/journal-format.md`` lists them byte by byte.  To
change one, follow the procedure there.  Nothing here reads or writes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import msgspec

from ..ids import BATCH_ID_BYTES
from ..wire.messages import Options, Range


class Kind(IntEnum):
    """What a journal record is."""

    BATCH = 1  # header: the Submit message; payload and buffers: its frames
    RESULTS = 2  # header: the Results message; payload and buffers: its frames
    CONST = 3  # header: the SetConst message; payload and buffers: its frames
    CRASH = 4  # header: Crash
    BIND = 5  # header: Bind
    RETRY = 6  # header: empty: failures before this record no longer count
    END = 7  # header: the End message
    MEMBER = 8  # header: Member
    FUNCTION = 9  # header: the Define message; payload: the pickled function
    CHECKPOINT = 10  # header: the Checkpoint message; payload and buffers: its frames
    STEP = 11  # header: the Step message; payload and buffers: its frames
    EDIT = 12  # header: Edit: a function was edited; its results stay, or are dropped
    SOURCE = 13  # header: the Source message; its bytes are a named value, see `code`
    ENVIRONMENT = 14  # header: the Environment
    DEPARTED = 15  # header: Departed; payload and buffers: the two calls
    CHANGE = 16  # header: Change: tasks were submitted again, with other options


class Departed(msgspec.Struct, array_like=True, frozen=True):
    """A call that was not the recorded one, written when nothing else would tell of it.

    The payload is the old call's arguments, ``old_bytes`` of them, then the new one's; the first
    ``old_buffers`` buffers are the old one's.  All are left out of a record that only counts.
    """

    count: int  # 0: the run was stopped, and the call was not recorded
    task: str  # its place, as people name it
    parent_function: str
    ordinal: int
    old_function: bytes  # digests
    new_function: bytes
    old_bytes: int
    old_buffers: int
    buffers: int  # of both


class Crash(msgspec.Struct, array_like=True, frozen=True):
    """A worker died while this task was running."""

    batch: bytes
    index: int
    what: str


NO_BATCH: Final = bytes(BATCH_ID_BYTES)


class Bind(msgspec.Struct, array_like=True, frozen=True):
    """How a replayed batch meets older records.

    ``void`` are indices of ``batch`` (the record before this one; `NO_BATCH`: nothing was recorded
    as new) that are older tasks; ``slots`` are children of ``parent`` that are found at another
    ordinal than they were recorded at.  ``session`` runs the parent; with nothing else it says only
    that this is another run of it.
    """

    parent: bytes
    batch: bytes
    void: list[Range]
    slots: list[tuple[int, int, bytes, int]]  # ordinal, count, batch, index
    session: bytes = b""


class Change(msgspec.Struct, array_like=True, frozen=True):
    """Tasks of a batch are to be run in another way than they were submitted with."""

    batch: bytes
    ranges: list[Range]
    options: Options


class Member(msgspec.Struct, array_like=True, frozen=True):
    """A worker has joined (``alive``) or is gone for good."""

    session: bytes
    agent: bytes
    host: str
    alive: bool


class Edit(msgspec.Struct, array_like=True, frozen=True):
    """A function means something else now; ``redo``: what it had computed does not count."""

    function: bytes
    code: bytes
    python: str
    redo: bool
    sources: list[tuple[str, int, int]]


def plain(record: Any) -> Any:
    """Return a record as plain values, for people; None stays None."""
    return msgspec.to_builtins(record)


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
decode_crash = msgspec.msgpack.Decoder(Crash).decode
decode_bind = msgspec.msgpack.Decoder(Bind).decode
decode_departed = msgspec.msgpack.Decoder(Departed).decode
decode_change = msgspec.msgpack.Decoder(Change).decode
decode_member = msgspec.msgpack.Decoder(Member).decode
decode_edit = msgspec.msgpack.Decoder(Edit).decode
