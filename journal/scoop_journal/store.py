"""The LMDB environment: open it, read from it, write one transaction to it.

The only module that runs the engine.  It decides nothing: it translates the engine's errors into
``MapTooSmall`` and ``StoreFailed``, and its callers know what they mean.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import lmdb

from .envelope import BUFFER, OVERHEAD_BYTES, pack_named, unpack_named
from .errors import JournalDamaged, JournalError, JournalFull, JournalLocked
from .filesystem import allocate, is_no_room
from .gate import passing
from .layout import (
    BLOBS_TABLE,
    EVENTS_TABLE,
    LMDB_LINE,
    LOCK_FILE,
    MAGIC_KEY,
    MAX_TABLES,
    META_TABLE,
    NEXT_KEY,
    pack_key,
    pack_magic,
    unpack_key,
)
from .staging import Staging

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MAP_BYTES: Final = 1 << 30
_KIND_OFFSET: Final = 4
_HEAD_PAGES: Final = 2
#: The table of 126 readers, the engine's default, rounded up to whole pages.
_LOCK_BYTES: Final = 8192


class MapTooSmall(Exception):
    """The transaction did not fit into the map: grow it and write again."""


class StoreFailed(JournalError):
    """The engine or the disk failed; ``code`` is its number."""

    def __init__(self, error: lmdb.Error) -> None:
        super().__init__(f"LMDB says: {error}")
        self.code: int = error.code if error.code else _CODES.get(type(error), 0)


class TablesMissing(Exception):
    """It is an LMDB environment, but not with our tables."""


_CODES: Final[Mapping[type[lmdb.Error], int]] = {lmdb.DiskError: errno.ENOSPC}


class StoreSnapshot:
    """The committed bytes at the moment it was opened."""

    def __init__(
        self,
        txn: lmdb.Transaction[memoryview],
        events: lmdb._Database,
        blobs: lmdb._Database,
        meta: lmdb._Database,
    ) -> None:
        self._txn = txn
        self._events = events
        self._blobs = blobs
        self._meta = meta

    def get(self, seq: int) -> memoryview | None:
        """Give a record's stored bytes."""
        return self._txn.get(pack_key(seq), None, self._events)

    def blob(self, name: bytes) -> memoryview | None:
        """Give a blob's stored bytes."""
        return self._txn.get(name, None, self._blobs) if name else None

    def meta(self, key: bytes) -> bytes | None:
        """Give a metadata value, copied."""
        value = self._txn.get(key, None, self._meta)
        return None if value is None else bytes(value)

    def items(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Give all records from a number on, in order."""
        cursor = self._txn.cursor(self._events)
        if cursor.set_range(pack_key(start)):
            for key, value in cursor:
                yield _seq_of(key), value

    def raw(self, table: lmdb._Database) -> Iterator[tuple[memoryview, memoryview]]:
        """Give all of a table as it is stored, by key."""
        yield from self._txn.cursor(table)

    def blobs(self) -> Iterator[tuple[bytes, memoryview]]:
        """Give all blobs by name."""
        for name, value in self._txn.cursor(self._blobs):
            yield bytes(name), value

    def last_seq(self) -> int:
        """Give the number of the last record, 0 when there is none."""
        cursor = self._txn.cursor(self._events)
        return _seq_of(cursor.key()) if cursor.last() else 0


class Store:
    """An open environment with the journal's tables.

    Parameters
    ----------
    folder : Path
        The journal's folder.
    map_size : int
        How much may be stored before the map must grow; address space only.
    write : bool
        Open for writing.
    lock : bool
        False only where no writer can be: nothing in the folder is touched then.
    create : bool
        Make the tables.
    synced : bool
        Sync each transaction; else only ``sync`` does.
    """

    def __init__(
        self, folder: Path, *, map_size: int, write: bool, lock: bool = True, create: bool = False,
        synced: bool = True,
    ) -> None:  # fmt: skip
        self._env = _open_environment(folder, map_size, write, lock, synced)
        self.map_size = map_size
        self._snapshots = 0
        try:
            self._meta = self._env.open_db(META_TABLE, create=create)
            self._events = self._env.open_db(EVENTS_TABLE, create=create)
            self._blobs = self._env.open_db(BLOBS_TABLE, create=create)
        except (lmdb.NotFoundError, lmdb.IncompatibleError, lmdb.ReadonlyError) as error:
            self._env.close()
            raise TablesMissing(str(error)) from None
        except lmdb.Error as error:
            self._env.close()
            raise StoreFailed(error) from error

    @property
    def page_bytes(self) -> int:
        """The size of a page."""
        return int(self._env.stat()["psize"])

    @property
    def tables(self) -> tuple[lmdb._Database, ...]:
        """All tables, in one order."""
        return self._meta, self._events, self._blobs

    def close(self) -> None:
        """Close the environment; closing twice is no error."""
        self._env.close()

    @contextmanager
    def snapshot(self) -> Generator[StoreSnapshot, None, None]:
        """Read at one moment, following a map that another process made larger."""
        with self._begin_read() as txn:
            self._snapshots += 1
            try:
                yield StoreSnapshot(txn, self._events, self._blobs, self._meta)
            finally:
                self._snapshots -= 1

    def write(self, staging: Staging) -> None:
        """Store a staging in one transaction, or nothing of it.

        It may be called again with the same staging, whatever became of the call before.

        Raises
        ------
        MapTooSmall
            The map must grow first.
        StoreFailed
            Anything else that the engine says.
        """
        try:
            with self._env.begin(write=True, buffers=True) as txn:
                self._put_records(txn, staging)
                self._delete_records(txn, staging)
                self._put_blobs(txn, staging)
                value = pack_named(NEXT_KEY, pack_key(staging.next_seq))
                txn.put(NEXT_KEY, value, db=self._meta)
        except lmdb.MapFullError as error:
            raise MapTooSmall(str(error)) from None
        except lmdb.Error as error:
            raise StoreFailed(error) from error

    def write_meta(self, run_key: bytes, run: str, next_seq: int) -> None:
        """Write what makes an environment a journal."""
        try:
            with self._env.begin(write=True, db=self._meta) as txn:
                txn.put(run_key, pack_named(run_key, run.encode()))
                txn.put(NEXT_KEY, pack_named(NEXT_KEY, pack_key(next_seq)))
                txn.put(MAGIC_KEY, pack_magic())
        except lmdb.Error as error:
            raise StoreFailed(error) from error

    def advance(self) -> bool:
        """Commit what is there already; False when even that finds no room.

        The engine uses the pages that a transaction has freed only in the one after the next.
        """
        try:
            with self._env.begin(write=True, db=self._meta) as txn:
                txn.put(NEXT_KEY, bytes(txn.get(NEXT_KEY) or b""))
        except lmdb.Error:
            return False
        return True

    def sync(self) -> None:
        """Have all that was committed on disk."""
        try:
            self._env.sync(True)
        except lmdb.Error as error:
            raise StoreFailed(error) from error

    def grow(self, map_size: int) -> None:
        """Make the map larger; no transaction may be open."""
        try:
            self._env.set_mapsize(map_size)
        except lmdb.Error as error:
            raise StoreFailed(error) from error
        self.map_size = map_size

    def lives(self) -> bool:
        """Whether the engine still accepts write transactions (after a failure it may not)."""
        try:
            self._env.begin(write=True).abort()
        except lmdb.Error:
            return False
        return True

    def reap_readers(self) -> int:
        """Free the places of readers that died; return how many."""
        return self._env.reader_check()

    def entries(self) -> list[int]:
        """Return how many values each table holds."""
        return [stat["entries"] for stat in self._stats()]

    def live_bytes(self) -> int:
        """Return the size of the pages in use: the two heads, the tables and the tree of them."""
        stats = [*self._stats(), self._env.stat()]
        used = (s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for s in stats)
        return (_HEAD_PAGES + sum(used)) * stats[0]["psize"]

    def _stats(self) -> list[lmdb._StatDict]:
        with self._begin_read() as txn:
            return [txn.stat(table) for table in self.tables]

    def load(self, table: lmdb._Database, items: Iterable[tuple[memoryview, memoryview]]) -> None:
        """Put values into an empty table in one transaction, in the order of their keys."""
        try:
            with self._env.begin(write=True) as txn:
                for key, value in items:
                    if not txn.put(bytes(key), value, append=True, db=table):
                        raise JournalDamaged(
                            "the journal's keys are out of order; stop, and verify the journal"
                        )
        except lmdb.Error as error:
            raise StoreFailed(error) from error

    def _begin_read(self) -> lmdb.Transaction[memoryview]:
        while True:
            try:
                return self._env.begin(buffers=True)
            except lmdb.MapResizedError:
                if self._snapshots:  # they point into the map that would be replaced
                    raise JournalError(
                        "the journal grew while it was read; end the other readings first"
                    ) from None
                self._env.set_mapsize(0)  # adopt the size that the writer gave it
            except lmdb.Error as error:
                raise StoreFailed(error) from error

    def _put_records(self, txn: lmdb.Transaction[memoryview], staging: Staging) -> None:
        # Where an earlier call was interrupted after the engine had committed, the numbers
        # below the stored one are there already.
        stored = txn.get(NEXT_KEY, None, self._meta)
        first = staging.base_seq if stored is None else read_next(bytes(stored))
        if first > staging.next_seq:
            raise JournalDamaged(
                f"the journal was written by another process up to record {first - 1}; "
                "stop, and open it again"
            )
        items = [(pack_key(seq), data) for seq, data in staging.items_from(first)]
        if not items:
            return
        consumed, added = txn.cursor(self._events).putmulti(items, append=True)
        # The engine skips keys that are out of order without an error.
        if not consumed == added == len(items):
            raise JournalDamaged(
                f"only {added} of {len(items)} records were accepted, the journal's keys are out "
                "of order; stop, and verify the journal"
            )

    def _delete_records(self, txn: lmdb.Transaction[memoryview], staging: Staging) -> None:
        if not staging.deletions:
            return
        cursor = txn.cursor(self._events)
        for start, stop in staging.deletions:
            there = cursor.set_range(pack_key(start))
            while there and _seq_of(cursor.key()) < stop:
                cursor.delete()
                there = len(cursor.key()) > 0
            # The buffers of the last record deleted leave with it.
            while there and _is_buffer(cursor.value()):
                cursor.delete()
                there = len(cursor.key()) > 0

    def _put_blobs(self, txn: lmdb.Transaction[memoryview], staging: Staging) -> None:
        for name, data in staging.blobs.items():
            if data is None:
                txn.delete(name, db=self._blobs)
            else:
                txn.put(name, data, db=self._blobs)


def read_next(value: bytes) -> int:
    """Decode the stored number of the next record."""
    return unpack_key(unpack_named(NEXT_KEY, value))


def _open_environment(
    folder: Path, map_size: int, write: bool, lock: bool, synced: bool
) -> lmdb.Environment:
    try:
        with passing(folder):
            if lock:
                _allocate_lock_file(folder, write)
            return lmdb.Environment(
                os.fspath(folder), map_size=map_size, subdir=True, readonly=not write, mode=0o600,
                create=write, max_dbs=MAX_TABLES, lock=lock, sync=synced, lib_version=LMDB_LINE,
            )  # fmt: skip
    except lmdb.Error as error:
        if "already open in this process" in str(error):
            raise JournalLocked(
                f"{folder} is already open in this process; read and write through that object"
            ) from None
        if isinstance(error, lmdb.DiskError):
            raise JournalFull(f"no room to open {folder}; free some space there") from error
        if isinstance(error, lmdb.MemoryError):  # of the map, which takes no memory by itself
            raise JournalError(
                f"a map of {map_size} bytes cannot be had for {folder} (Cannot allocate memory); "
                "raise the address space limit (ulimit -v), and try again"
            ) from error
        raise JournalError(
            f"{folder} cannot be opened: {error}; check its permissions and the disk"
        ) from error


def _allocate_lock_file(folder: Path, write: bool) -> None:
    """Give the engine's table of readers its disk space before the engine maps it.

    The engine makes it without allocating: on a full disk its first use would end the process.
    """
    path = folder / LOCK_FILE
    try:
        status = path.stat() if path.exists() else None
        if status is not None and status.st_size >= _LOCK_BYTES:
            sparse = status.st_blocks * 512 < _LOCK_BYTES
            if not (write and sparse):
                return
        fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            allocate(fd, _LOCK_BYTES)
        finally:
            os.close(fd)
    except OSError as error:
        if is_no_room(error.errno):
            raise JournalFull(f"no room to open {folder}; free some space there") from error
        raise JournalError(
            f"{folder} cannot be opened: {error}; check its permissions and the disk"
        ) from error


def _seq_of(key: memoryview) -> int:
    try:
        return unpack_key(key)
    except struct.error:
        raise JournalDamaged(
            f"the journal is damaged: {bytes(key)!r} is not a record's key; "
            "restore the journal's folder from a copy, or start a new run"
        ) from None


def _is_buffer(value: memoryview) -> bool:
    return value.nbytes >= OVERHEAD_BYTES and value[_KIND_OFFSET] == BUFFER
