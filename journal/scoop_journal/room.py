"""The reserve: disk space kept back so that what was begun can be ended on a full disk.

A file of allocated bytes beside the data.  When the disk is full it is given up, once, and made
again when there is room.  Decides nothing about what may be stored: the journal asks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from .filesystem import allocate, free_bytes, is_no_room, total_bytes
from .layout import RESERVE_FILE

DEFAULT_RESERVE_BYTES: Final = 8 << 20
_BLOCK: Final = 4096
#: A small file system keeps no larger share of itself back than this.
_SHARE: Final = 32
#: Pages that a transaction needs beside its data: the tree's paths, the free list, metadata.
_FIXED_COST: Final = 64 << 10


class Reserve:
    """The reserve file of one journal.

    Parameters
    ----------
    folder : Path
        The journal's folder.
    wanted : int
        Its size, where the file system is large enough.
    """

    def __init__(self, folder: Path, wanted: int) -> None:
        self._folder = folder
        self._path = folder / RESERVE_FILE
        self.size = min(wanted, total_bytes(folder) // _SHARE) // _BLOCK * _BLOCK

    @property
    def held(self) -> bool:
        """Whether the reserve is on disk (a reserve of no bytes always is)."""
        return self.size == 0 or self._path.exists()

    def restore(self) -> None:
        """Make the reserve again, if it is missing and there is room for twice its size."""
        if self.held or free_bytes(self._folder) < 2 * self.size:
            return
        try:
            fd = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                allocate(fd, self.size)
            finally:
                os.close(fd)
        except OSError as error:
            self.release()  # part of a reserve would pass for a whole one
            if not is_no_room(error.errno):
                raise

    def release(self) -> bool:
        """Give the reserve up; False when there was none to give."""
        if not self._path.exists():
            return False
        self._path.unlink()
        return True


def cost(size: int) -> int:
    """Estimate, on the safe side, the disk space for staged bytes of this size."""
    return size + size // 4 + _FIXED_COST
