"""The pages of a mapped file that this process has read: given back, the system caches them.

Nothing is lost by it: who reads them again finds them in the cache, or on the disk.  Without it a
process that reads its way through a journal has all of it among its memory, as tools tell it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

MADV_DONTNEED: Final = 4


def forget_pages(file: Path) -> None:
    """Give back what was read through this process's maps of a file; they stay usable."""
    if sys.platform != "linux":
        return
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return  # no descriptor is free, or there is no /proc: the pages stay
    import ctypes

    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    name = os.path.realpath(file)
    for line in maps.splitlines():
        words = line.split(" ", 5)
        # Where writing is private to us it would be lost; the engine maps shared, for reading.
        if words[1] == "r--s" and words[-1].lstrip() == name:
            start, stop = (int(word, 16) for word in words[0].split("-"))
            madvise(start, stop - start, MADV_DONTNEED)
