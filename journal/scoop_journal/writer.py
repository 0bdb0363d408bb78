"""The journal on disk: the one writer of a run's LMDB environment.

Creates, opens and owns it, and turns each failure of a commit into one of two answers: no room
(nothing is lost, try again) or broken (stop).  A failed sync is never retried.
"""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .base import BaseJournal
from .compact import drop_leftovers
from .condition import Intent, inspect, inspect_file, map_bytes, require
from .envelope import unpack_named
from .errors import JournalBroken, JournalDamaged, JournalError, JournalExists, JournalFull
from .filesystem import (
    can_store,
    free_bytes,
    is_no_room,
    largest_file_bytes,
    require_safe,
    sync_folder,
)
from .layout import DATA_FILE, FIRST_SEQ, NEXT_KEY, OWNER_LOCK_FILE, RUN_KEY, UNSYNCED_FILE
from .mapped import forget_pages
from .ownership import OwnerLock
from .room import DEFAULT_RESERVE_BYTES, Reserve, cost
from .staging import Staging
from .store import (
    DEFAULT_MAP_BYTES,
    MapTooSmall,
    Store,
    StoreFailed,
    StoreSnapshot,
    read_next,
)
from .unsynced import mark, unmark

if TYPE_CHECKING:
    from typing_extensions import Self

#: With this much room left a write does not fail for want of room.
_AMPLE_BYTES: Final = 1 << 20

_forks = 0  # of this process's line since it has loaded this: cheaper than to ask who one is


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class Journal(BaseJournal):
    """A run's journal, open for writing.  Use ``create`` or ``open``.

    One process owns a journal, and uses it from one thread at a time; a fork does not inherit it.
    """

    def __init__(
        self, path: Path, owner: OwnerLock, store: Store, reserve_bytes: int, synced: bool
    ) -> None:
        with store.snapshot() as snapshot:
            run = bytes(unpack_named(RUN_KEY, snapshot.meta(RUN_KEY) or b"")).decode()
            next_seq = read_next(snapshot.meta(NEXT_KEY) or b"")
        super().__init__(run, next_seq)
        self.path = path
        self._owner = owner
        self._env = store
        self._reserve = Reserve(path, reserve_bytes)
        self._reserve.restore()
        self._synced = synced
        self._pid = os.getpid()
        self._forks = _forks

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        run: str,
        *,
        map_size: int = DEFAULT_MAP_BYTES,
        reserve_bytes: int = DEFAULT_RESERVE_BYTES,
        unsafe_filesystem: bool = False,
        synced: bool = True,
    ) -> Self:
        """Make a new journal and open it.

        Parameters
        ----------
        path : path-like
            A folder that does not exist yet, or is empty.  It appears whole or not at all.
        run : str
            The run it belongs to.
        map_size : int
            How much address space to begin with; it grows when needed.
        reserve_bytes : int
            How much disk space to keep back for a full disk.
        unsafe_filesystem : bool
            Go on where ``UnsafeFilesystem`` would be raised.
        synced : bool
            Whether a commit waits for the disk.  Where it does not, the death of a process loses
            nothing, and one of the machine makes the journal useless, which then refuses to open.

        Raises
        ------
        JournalExists
            Something is there already.
        UnsafeFilesystem
            The folder is on a networked file system.
        """
        folder = Path(path)
        if not unsafe_filesystem:
            require_safe(folder)
        require(folder, inspect_file(folder), Intent.CREATE)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _build(folder, run)
        return cls.open(
            folder,
            map_size=map_size,
            reserve_bytes=reserve_bytes,
            unsafe_filesystem=unsafe_filesystem,
            synced=synced,
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        map_size: int = DEFAULT_MAP_BYTES,
        reserve_bytes: int = DEFAULT_RESERVE_BYTES,
        unsafe_filesystem: bool = False,
        synced: bool = True,
    ) -> Self:
        """Own and verify an existing journal; nothing on disk changes by a refusal.

        Parameters are those of ``create``.

        Raises
        ------
        JournalMissing, JournalForeign, JournalTooNew, JournalDamaged, JournalUnsynced,
        JournalLocked
            By what was found there.
        UnsafeFilesystem
            The folder is on a networked file system.
        """
        folder = Path(path)
        if not unsafe_filesystem:
            require_safe(folder)
        require(folder, inspect_file(folder), Intent.USE)
        owner = OwnerLock(folder)
        # Where the lock file is missing nobody holds it, and making it would be a change.
        late = not (folder / OWNER_LOCK_FILE).exists()
        if not late:
            owner.acquire()
        try:
            # Payloads are checked when they are read: there may be hundreds of gigabytes of them.
            require(folder, inspect(folder, payloads=False), Intent.USE)
            if late:
                owner.acquire()
            drop_leftovers(folder)
            store = Store(folder, map_size=map_bytes(folder, map_size), write=True, synced=synced)
        except BaseException:
            owner.release()
            raise
        try:
            store.reap_readers()
            owner.sign()
            _settle_mark(folder, store, synced)
            return cls(folder, owner, store, reserve_bytes, synced)
        except BaseException:
            store.close()
            owner.release()
            raise

    @property
    def size_bytes(self) -> int:
        """The size of the data file.

        Raises
        ------
        JournalBroken
            It was removed or moved: what is written now would never be found again.
        """
        data = self.path / DATA_FILE
        try:
            return data.stat().st_size
        except FileNotFoundError:
            raise self._break(
                f"{data} was removed or moved while it was written to; put it back"
            ) from None

    @property
    def live_bytes(self) -> int:
        """The size of the pages in use; the file's other pages are used before it grows."""
        self._require_usable()
        return self._env.live_bytes()

    def forget_pages(self) -> None:
        """Give back the pages that were read through the map; the system's cache keeps them."""
        forget_pages(self.path / DATA_FILE)

    def free_bytes(self) -> int:
        """How many bytes the file system has left."""
        return free_bytes(self.path)

    def has_room(self, wanted: int) -> bool:
        """Whether new work of this size may be taken in, so that its end can be stored too."""
        self._require_usable()
        self._reserve.restore()
        needed = self._reserve.size + cost(self.staged_bytes) + cost(wanted)
        left = self.free_bytes()
        if self._reserve.held and left >= needed:
            return True
        # Free pages of the file serve as well, and for the reserve, too, once that is given up.
        pages = self._free_pages_bytes()
        return (self._reserve.held or pages >= self._reserve.size) and left + pages >= needed

    def why_full(self) -> str:
        """Say what has no room for more, and what to do about it."""
        limit, left = largest_file_bytes(), self.free_bytes()
        if limit is not None and limit < max(self._reserve.size, self.size_bytes + _AMPLE_BYTES):
            return (
                f"no file may be larger than {limit:,} bytes, which the journal {self.path} needs: "
                "raise that limit (ulimit -f), stop the run, and resume it"
            )
        if left >= _AMPLE_BYTES and not can_store(self.path, _AMPLE_BYTES):
            return (
                f"nothing more can be stored in {self.path}, though its disk has {left:,} bytes "
                "left: a quota is used up, or its inodes are; remove files, and it goes on"
            )
        return f"the disk of {self.path} is full: make room, and it goes on"

    def _free_pages_bytes(self) -> int:
        """How much of the file can be counted on: what is large needs pages that lie together."""
        return max(0, self.size_bytes - self.live_bytes) // 2

    def reap_readers(self) -> int:
        """Free the places of readers that died; return how many.  Call it now and then."""
        self._require_usable()
        return self._env.reap_readers()

    def close(self) -> None:
        """Close the environment and give up ownership; what was not committed is lost.

        What was committed and not synced is synced now.
        """
        if not self._closed and self._pid == os.getpid():
            if not self._synced and self._broken is None:
                with contextlib.suppress(StoreFailed, OSError):  # then the mark stays, and says so
                    _settle_mark(self.path, self._env, synced=True)
            self._env.close()
            self._owner.release()
        super().close()

    def _open_snapshot(self) -> AbstractContextManager[StoreSnapshot]:
        return self._env.snapshot()

    def _require_usable(self) -> None:
        super()._require_usable()
        if self._forks != _forks:
            raise JournalError("a journal does not survive a fork: open it in the process using it")

    def _store(self, staging: Staging) -> None:
        _ = self.size_bytes  # the engine would go on writing to a file that nobody finds again
        self._reserve.restore()
        released = advanced = False
        while True:
            try:
                return self._env.write(staging)
            except MapTooSmall:
                self._grow(staging.bytes)
            except JournalDamaged as error:
                raise self._break(str(error)) from error
            except StoreFailed as error:
                if not self._is_full(error, staging.bytes):
                    raise self._break(
                        f"the disk under {self.path} failed ({error}); stop, check the disk, "
                        "and open the journal again"
                    ) from error
                if not advanced and self._env.advance():
                    advanced = True  # the pages that the last commit has freed can be used now
                    continue
                if released or not self._reserve.release():
                    raise JournalFull(
                        f"no room for {staging.bytes} bytes at {self.path}, where "
                        f"{self.free_bytes()} are free; free some space, nothing is lost"
                    ) from error
                released, advanced = True, False

    def _is_full(self, error: StoreFailed, staged: int) -> bool:
        """Whether a failed write means no room: the engine says EIO for both."""
        if not self._env.lives():
            return False
        if is_no_room(error.code):
            return True
        return error.code == errno.EIO and not can_store(self.path, cost(staged) + _AMPLE_BYTES)

    def _grow(self, staged: int) -> None:
        size = self._env.map_size * 2
        while size < self._env.map_size + cost(staged):
            size *= 2
        try:
            self._env.grow(size)
        except StoreFailed as error:
            raise self._break(
                f"the map of {self.path} cannot grow to {size} bytes ({error}); raise the "
                "address space limit (ulimit -v), and open the journal again"
            ) from error

    def _break(self, why: str) -> JournalBroken:
        self._broken = why
        return JournalBroken(why)


def _settle_mark(folder: Path, store: Store, synced: bool) -> None:
    """Mark the journal before anything is written unsynced; unmark it when all is synced."""
    if synced:
        if (folder / UNSYNCED_FILE).exists():
            store.sync()
            unmark(folder)
        return
    try:
        mark(folder)
    except OSError as error:
        if not is_no_room(error.errno):
            raise
        raise JournalFull(f"no room to open {folder}; free some space there") from error


def _build(folder: Path, run: str) -> None:
    """Make a journal beside its place and move it there, so that no half of one is ever seen."""
    fresh: Path | None = None
    try:
        beside = folder.parent / f".{folder.name}.new-{os.urandom(8).hex()}"
        beside.mkdir(mode=0o700)
        fresh = beside
        _fill(fresh, run)
        _move(fresh, folder)
    except BaseException as error:
        if fresh is not None:
            import shutil

            shutil.rmtree(fresh, ignore_errors=True)
        full = isinstance(error, StoreFailed) or (
            isinstance(error, OSError) and is_no_room(error.errno)
        )
        if not full:
            raise
        raise JournalFull(
            f"no room to make a journal at {folder} ({error}); free some space there"
        ) from error


def _fill(fresh: Path, run: str) -> None:
    (fresh / OWNER_LOCK_FILE).touch(mode=0o600)
    store = Store(fresh, map_size=DEFAULT_MAP_BYTES, write=True, create=True)
    try:
        store.write_meta(RUN_KEY, run, FIRST_SEQ)
    finally:
        store.close()
    sync_folder(fresh)


def _move(fresh: Path, folder: Path) -> None:
    try:
        fresh.rename(folder)  # replaces an empty folder, refuses any other
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise
        raise JournalExists(f"{folder} was just made by another process; use it") from None
    sync_folder(folder.parent)
