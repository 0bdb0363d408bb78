"""The shim's logs, read back: what a run's brokers did to the journal's file, said and heard.

The layout must agree with ``struct head`` in ``shim.c``.  Nothing is interpreted here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("=IiqqQII")
_DIRECT = 1


class Kind(IntEnum):
    """What happened."""

    BEGUN = 0  # a broker's log begins (not in the file)
    OPENED = 1  # data: the path, then what the file held; offset: the path's length
    WRITING = 2
    WRITTEN = 3
    SYNCING = 4
    SYNCED = 5
    TRUNCATED = 6
    RENAMED = 7  # data: from and to; offset: the first one's length
    FOLDER_SYNCED = 8
    ACCEPTED = 9
    CLOSED = 10
    RECEIVED = 11
    SENDING = 12
    SENT = 13
    MAP_SYNCED = 14


class Event(NamedTuple):
    """One record of a log.

    Attributes
    ----------
    result : int
        What the call returned; the negative error number when it failed.
    direct : bool
        The file was opened with O_DSYNC: a write that has returned is synced.
    """

    kind: Kind
    fd: int
    offset: int
    result: int
    at_ns: int
    direct: bool
    data: bytes


def read(folder: Path) -> list[Event]:
    """Return the events of all brokers of a run, in order."""
    events: list[Event] = []
    for path in sorted(folder.iterdir()):
        events.append(Event(Kind.BEGUN, -1, 0, int(path.name.split(".")[-1]), 0, False, b""))
        events.extend(_events(path.read_bytes()))
    return events


def first_failure(events: Sequence[Event]) -> int:
    """Return where in a log a write or sync first failed; its length when none did."""
    for at, event in enumerate(events):
        if event.kind in (Kind.WRITTEN, Kind.SYNCED) and event.result < 0:
            return at
    return len(events)


def _events(data: bytes) -> Iterator[Event]:
    at = 0
    while at + _HEAD.size <= len(data):
        kind, fd, offset, result, at_ns, flags, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + size > len(data):
            return  # the broker was killed while this was written
        yield Event(
            Kind(kind), fd, offset, result, at_ns, bool(flags & _DIRECT), data[at : at + size]
        )
        at += size
