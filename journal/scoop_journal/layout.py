"""What is where in the LMDB environment: tables, keys and the format's number.

Changing any of it changes the disk format.  The procedure (docs/journal-format.md): raise
``FORMAT``, keep a frozen reader for each format that was released, add golden bytes for the new
one, and never change ``MAGIC_KEY`` or the shape of its value: by it all versions know each other.
"""

from __future__ import annotations

import struct
from typing import Final

#: The LMDB library line whose file format is used (0.9: readable by the widest set of tools).
LMDB_LINE: Final = 0
FORMAT: Final = 2

META_TABLE: Final = b"meta"
EVENTS_TABLE: Final = b"events"
BLOBS_TABLE: Final = b"blobs"
#: Two spare, so that a later format can add a table without old readers failing to open.
MAX_TABLES: Final = 5

MAGIC_KEY: Final = b"magic"
MAGIC: Final = b"scoop_journal\0"
RUN_KEY: Final = b"run"
NEXT_KEY: Final = b"next"

#: Records are numbered from here; 0 is free to mean "none".
FIRST_SEQ: Final = 1
MAX_NAME_BYTES: Final = 511

DATA_FILE: Final = "data.mdb"
LOCK_FILE: Final = "lock.mdb"
OWNER_LOCK_FILE: Final = "owner.lock"
OWNER_FILE: Final = "owner.json"
RESERVE_FILE: Final = "reserve"
COMPACT_FOLDER: Final = "compact"
UNSYNCED_FILE: Final = "unsynced"

_KEY = struct.Struct(">Q")
_FORMAT = struct.Struct("<I")

#: A record's number as its key: big-endian, so that LMDB's byte order is the numbers' order.
pack_key = _KEY.pack


def unpack_key(key: bytes | memoryview) -> int:
    """Read a record's number from its key; ``struct.error`` when it is not 8 bytes long."""
    (seq,) = _KEY.unpack(key)
    return int(seq)


def pack_magic(number: int = FORMAT) -> bytes:
    """Encode the value by which a journal is known, whatever its format."""
    return MAGIC + _FORMAT.pack(number)


def unpack_magic(value: bytes | None) -> int | None:
    """Read the format's number; None when the value was not written by this library."""
    if value is None or len(value) != len(MAGIC) + _FORMAT.size or not value.startswith(MAGIC):
        return None
    (number,) = _FORMAT.unpack_from(value, len(MAGIC))
    return int(number)
