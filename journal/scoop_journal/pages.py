"""Look at an LMDB data file without LMDB: is it one, is it whole?

The engine trusts its file: a damaged one can end the process that maps it.  So the file's own pages
are checked first, in Python.  Reads only.
"""

from __future__ import annotations

import struct
import sys
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

import lmdb.verify

from .layout import DATA_FILE

_MAGIC: Final = 0xBEEFC0DE
_DATA_VERSION: Final = 1
_META_FLAG: Final = 0x08
_PAGE_HEADER_BYTES: Final = 16
_OTHER_PAGE_HEADER_BYTES: Final = 24  # LMDB 1.0
_ORDER: Final = "<" if sys.byteorder == "little" else ">"
_PAGE = struct.Struct(_ORDER + "QHHI")
#: magic, version, address, map size, page size (kept in the free table's first field)
_META = struct.Struct(_ORDER + "IIQQI")
_MAGIC_ONLY = struct.Struct(_ORDER + "I")
_LAST_PAGE = struct.Struct(_ORDER + "Q")
_LAST_PAGE_OFFSET: Final = _PAGE_HEADER_BYTES + 24 + 2 * 48


class FileState(Enum):
    """What a data file is, from its first two pages."""

    MISSING = auto()
    EMPTY = auto()
    NOT_LMDB = auto()
    OTHER_LMDB = auto()
    BAD_HEAD = auto()
    LMDB = auto()


class Head(NamedTuple):
    """What the first two pages say."""

    state: FileState
    map_size: int = 0
    page_bytes: int = 0
    #: How long the file is when each page that was ever given out was also written.
    full_bytes: int = 0


def read_head(folder: Path) -> Head:
    """Read the two pages from which LMDB starts, without mapping anything."""
    path = folder / DATA_FILE
    if not path.is_file():
        return Head(FileState.MISSING)
    with path.open("rb") as file:
        first = file.read(4096)
        if not first:
            return Head(FileState.EMPTY)
        page_bytes = _page_bytes(first)
        if page_bytes is None:
            return Head(_why_not(first))
        file.seek(page_bytes)
        second = file.read(4096)
    if _page_bytes(second) != page_bytes:
        return Head(FileState.BAD_HEAD)
    last = max(_LAST_PAGE.unpack_from(page, _LAST_PAGE_OFFSET)[0] for page in (first, second))
    map_size = max(_META.unpack_from(page, _PAGE_HEADER_BYTES)[3] for page in (first, second))
    return Head(FileState.LMDB, map_size, page_bytes, (last + 1) * page_bytes)


def structure_flaws(folder: Path) -> list[str]:
    """Walk every page of a file at rest; empty when the engine can be trusted with it.

    Only for a journal that no writer has open: pages that are being written look damaged.
    """
    try:
        flaws = lmdb.verify.verify(str(folder), subdir=True)  # type: ignore[no-untyped-call]
    except (lmdb.verify.VerifyError, ValueError, IndexError, struct.error, OverflowError) as error:
        return [str(error)]
    # A page that belongs to nothing wastes its 4 KiB and harms nobody.
    return [flaw for flaw in flaws if "neither reachable nor in the freeDB" not in flaw]


def _page_bytes(page: bytes) -> int | None:
    """The page size that a sound meta page names; None when it is not one."""
    if len(page) < _LAST_PAGE_OFFSET + _LAST_PAGE.size:
        return None
    _, _, flags, _ = _PAGE.unpack_from(page)
    magic, version, _, _, size = _META.unpack_from(page, _PAGE_HEADER_BYTES)
    sound = flags & _META_FLAG and magic == _MAGIC and version == _DATA_VERSION
    if not sound or not 512 <= size <= 65536 or size & (size - 1):
        return None
    return int(size)


def _why_not(page: bytes) -> FileState:
    """Tell apart what cannot be read: another LMDB, a damaged one, or none at all."""
    if _has_magic(page, _OTHER_PAGE_HEADER_BYTES):
        return FileState.OTHER_LMDB
    if _has_magic(page, _PAGE_HEADER_BYTES):
        return FileState.BAD_HEAD
    return FileState.NOT_LMDB


def _has_magic(page: bytes, offset: int) -> bool:
    whole = len(page) >= offset + _MAGIC_ONLY.size
    return whole and _MAGIC_ONLY.unpack_from(page, offset)[0] == _MAGIC
