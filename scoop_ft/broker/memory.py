"""What the broker asks of the C library's allocator: large blocks that were freed stay at hand.

Each message of a megabyte needs several blocks of that size, for moments only.  By itself the C
library gives them back to the system each time, and a page that comes from the system costs more
than what is copied into it.  Decides nothing, and nothing depends on it.
"""

from __future__ import annotations

import sys
from typing import Final

LARGEST: Final = 32 << 20  # blocks up to this size are kept; the C library allows no more
KEPT: Final = 64 << 20  # of what is free at the end of the heap, so much
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3


def keep_freed() -> None:
    """Let freed blocks be used again, where the C library can be asked to."""
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)
