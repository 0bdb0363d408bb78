"""What a frame is in this process, and from which size on it is worth not copying it."""

from __future__ import annotations

from typing import Final, TypeAlias

Buffer: TypeAlias = "bytes | bytearray | memoryview"

LARGE: Final = 65_536
