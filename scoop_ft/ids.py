"""Names of tasks, batches and sessions: one byte form each.

A *batch id* is the session that submitted it (8 bytes) and that session's counter (8 bytes).
A *task id* is its batch's id and its index in the batch (4 bytes): 20 bytes in all; it names one
recorded task for ever.  The root, parent of the first tasks, has the id of 20 zero bytes.

A *lineage* (16 bytes) is a task's place in the tree, computed from its parent's lineage and its
ordinal only: the same in whatever process, attempt or run it is asked for.

Nothing here reads a clock or draws a number.
"""

from __future__ import annotations

import struct
from typing import Final

try:
    from _blake2 import (
        blake2b as blake2b,  # hashlib's own, without all that hashlib loads beside it
    )
except ImportError:
    from hashlib import blake2b as blake2b

SESSION_BYTES: Final = 8
BATCH_ID_BYTES: Final = 16
TASK_ID_BYTES: Final = 20
LINEAGE_BYTES: Final = 16
DIGEST_BYTES: Final = 16

ROOT_ID: Final = bytes(TASK_ID_BYTES)
ROOT_LINEAGE: Final = bytes(LINEAGE_BYTES)

_INDEX = struct.Struct(">I")
_ORDINAL = struct.Struct(">Q")


def batch_id(session: bytes, counter: int) -> bytes:
    """Name the ``counter``-th batch of a session."""
    return session + _ORDINAL.pack(counter)


def task_id(batch: bytes, index: int) -> bytes:
    """Name the ``index``-th task of a batch."""
    return batch + _INDEX.pack(index)


def split_task_id(task: bytes) -> tuple[bytes, int]:
    """Take a task id apart into its batch id and index."""
    return task[:BATCH_ID_BYTES], _INDEX.unpack_from(task, BATCH_ID_BYTES)[0]


def lineage(parent: bytes, ordinal: int) -> bytes:
    """Return the lineage of the ``ordinal``-th child of the task with lineage ``parent``."""
    return digest(parent + _ORDINAL.pack(ordinal))


def digest(content: bytes | bytearray | memoryview) -> bytes:
    """Return the name of a content, 16 bytes of BLAKE2b."""
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def short(identifier: bytes) -> str:
    """Return the last 12 hexadecimal digits, for people."""
    return identifier.hex()[-12:]
