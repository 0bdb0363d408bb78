"""Large arguments and results, and tasks that use memory: ``big.py TASKS BYTES SECONDS``."""

from __future__ import annotations

import sys
import time
import zlib

from scoop_chaos.real.noting import noted, write
from scoop_ft import futures

SIZE, SECONDS = int(sys.argv[2]), float(sys.argv[-1])
USED = 32 << 20


@noted
def fold(n: int, data: bytes) -> bytes:
    room = bytearray(b"x") * USED  # not zeros: each page is really used
    time.sleep(SECONDS)
    return bytes([(n + room[n]) % 251]) * len(data)


@noted
def check(n: int, data: bytes) -> int:
    return zlib.crc32(data, n)


if __name__ == "__main__":
    write("S", "root:")
    total = 0
    tasks = int(sys.argv[1])
    for first in range(0, tasks, 20):
        numbers = range(first, min(first + 20, tasks))
        folded = list(futures.map(fold, numbers, [bytes([n % 251]) * SIZE for n in numbers]))
        total += sum(futures.map(check, numbers, folded))
    print(total)
