"""What the machine does with as many bytes: ``arrays_bare.py COUNT OUT`` writes `timing.Figures`.

- ``routed``: frames of 1 MB through a bare ROUTER to another process and back.
- ``file``: as many bytes, there and back, written to a file; a sync after each 8 MB.
- ``lmdb``: the same, as records of 1 MB in LMDB, 8 in a transaction.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import bare
import lmdb
import psutil
from timing import Figures, Timing

SIZE, GROUP = bare.BIG, 8


def routed(count: int) -> Figures:
    """Send so many frames through a ROUTER, and take them back."""
    with bare.through_a_router() as dealer:
        bare.routed(dealer, 20)
        all_ = [psutil.Process(), *psutil.Process().children()]
        with Timing(2 * count * SIZE, all_) as timed:
            bare.routed(dealer, count)
    return timed.figures


def to_file(folder: str, count: int) -> Figures:
    """Write so many times 1 MB to a file."""
    data = os.urandom(SIZE)
    with (
        open(Path(folder, "file"), "wb", buffering=0) as file,
        Timing(count * SIZE, [psutil.Process()]) as timed,
    ):
        for number in range(count):
            file.write(data)
            if number % GROUP == GROUP - 1:
                os.fdatasync(file.fileno())
    return timed.figures


def to_lmdb(folder: str, count: int) -> Figures:
    """Write so many records of 1 MB with LMDB."""
    data = os.urandom(SIZE)
    with (
        lmdb.open(folder, map_size=4 * count * SIZE) as store,
        Timing(count * SIZE, [psutil.Process()]) as timed,
    ):
        for first in range(0, count, GROUP):
            with store.begin(write=True) as transaction:
                for number in range(first, min(first + GROUP, count)):
                    transaction.put(number.to_bytes(8, "big"), data, append=True)
    return timed.figures


def main(count: int) -> dict[str, Figures]:
    """Return all figures."""
    found = {"routed": routed(count)}
    for name, write in (("file", to_file), ("lmdb", to_lmdb)):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            found[name] = write(folder, 2 * count)
    return found


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(int(sys.argv[1]))))
