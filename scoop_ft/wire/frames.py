"""What a frame is in this process, which are worth not copying, and how large one may be."""

from __future__ import annotations

from typing import Final, TypeAlias

Buffer: TypeAlias = "bytes | bytearray | memoryview"

LARGE: Final = 65_536
# Where a pickle ends is a u32, and the journal's records end a little below 4 GiB, their headers
# included; small results of others may go with one that is just as large.
LARGEST: Final = (1 << 32) - (64 << 20)
