"""Give the disk back what a journal does not use: a packed copy takes the data file's place.

The engine uses free pages again, but its file never shrinks, and where records have left between
others it keeps pages that are half empty.  All is written anew, page by page full, into a folder
inside the journal's, synced, checked as a whole, and renamed over the data file: whatever ends the
process or the machine, and whenever, there is one good data file with all records in it.  Only
where no writer is at work; who reads meanwhile goes on reading what was there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from .condition import Intent, inspect, inspect_file, map_bytes, require
from .errors import JournalDamaged, JournalFull
from .filesystem import free_bytes, is_no_room, require_safe, sync_folder
from .gate import closed
from .layout import COMPACT_FOLDER, DATA_FILE, LOCK_FILE, NEXT_KEY, RUN_KEY
from .ownership import OwnerLock
from .packing import needed_bytes, repack
from .store import Store, StoreFailed
from .unsynced import unmark

#: By itself only a file is compacted that is larger by more than this than it need be, and
_WORTH_BYTES: Final = 256 << 10
#: by more than this share.
_WORTH_SHARE: Final = 0.2
_MARGIN_BYTES: Final = 1 << 20


class Compaction(NamedTuple):
    """The size of the data file before and after."""

    before_bytes: int
    after_bytes: int


def is_worthwhile(size_bytes: int, needed_bytes: int) -> bool:
    """Whether a file should be compacted without being asked."""
    spare = size_bytes - needed_bytes
    return spare > _WORTH_BYTES and spare > _WORTH_SHARE * needed_bytes


def compact(path: str | os.PathLike[str], *, unsafe_filesystem: bool = False) -> Compaction:
    """Make a journal's data file as small as what is in it.

    Raises
    ------
    JournalMissing, JournalForeign, JournalTooNew, JournalDamaged
        By what was found there.
    JournalLocked
        A writer is at work.
    JournalFull
        The disk has no room for the copy.
    UnsafeFilesystem
        The folder is on a networked file system.
    """
    folder = Path(path)
    if not unsafe_filesystem:
        require_safe(folder)
    require(folder, inspect_file(folder), Intent.USE)
    owner = OwnerLock(folder)
    owner.acquire()
    try:
        require(folder, inspect(folder), Intent.USE)
        owner.sign()
        return _compact(folder)
    finally:
        owner.release()


def drop_leftovers(folder: Path) -> None:
    """Remove the copy of a compaction that was ended from outside; only for the journal's owner."""
    if not (folder / COMPACT_FOLDER).exists():
        return
    import shutil

    shutil.rmtree(folder / COMPACT_FOLDER, ignore_errors=True)


def _compact(folder: Path) -> Compaction:
    data, fresh = folder / DATA_FILE, folder / COMPACT_FOLDER
    before = data.stat().st_size
    drop_leftovers(folder)
    try:
        _copy(folder, fresh)
        _require_same(folder, fresh)
        with closed(folder):
            # In this order: a table of readers must never stand beside a file it is not of.
            (folder / LOCK_FILE).unlink(missing_ok=True)
            os.replace(fresh / DATA_FILE, data)
        sync_folder(folder)
        unmark(folder)
    finally:
        drop_leftovers(folder)
    return Compaction(before, data.stat().st_size)


def _copy(folder: Path, fresh: Path) -> None:
    """Make the copy, on disk to its last byte."""
    store = Store(folder, map_size=map_bytes(folder), write=False, lock=False)
    try:
        wanted, left = needed_bytes(store) + _MARGIN_BYTES, free_bytes(folder)
        if left < wanted:
            raise JournalFull(_no_room(folder, wanted, left))
        fresh.mkdir(mode=0o700)
        repack(store, fresh)
    except (StoreFailed, OSError) as error:
        code = error.code if isinstance(error, StoreFailed) else error.errno
        if not is_no_room(code) and free_bytes(folder) > _MARGIN_BYTES:
            raise
        raise JournalFull(_no_room(folder, wanted, left)) from error
    finally:
        store.close()
    copied = fresh / DATA_FILE
    copied.chmod(0o600)
    with open(copied, "rb") as file:
        os.fsync(file.fileno())
    sync_folder(fresh)


def _no_room(folder: Path, wanted: int, left: int) -> str:
    return (
        f"no room to compact {folder}: the copy takes {wanted} bytes, {left} are free; "
        "free some space there, nothing was changed"
    )


def _require_same(folder: Path, fresh: Path) -> None:
    """Refuse a copy that is not sound or does not hold what it was made of."""
    require(fresh, inspect(fresh), Intent.USE)
    if _summary(folder) != _summary(fresh):
        raise JournalDamaged(
            f"the compact copy of {folder} does not hold the same; check the disk, "
            "nothing was changed"
        )


def _summary(folder: Path) -> tuple[object, ...]:
    store = Store(folder, map_size=map_bytes(folder), write=False, lock=False)
    try:
        with store.snapshot() as snapshot:
            return (
                snapshot.meta(RUN_KEY), snapshot.meta(NEXT_KEY), snapshot.last_seq(),
                store.entries(),
            )  # fmt: skip
    finally:
        store.close()
