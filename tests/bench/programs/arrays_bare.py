"""What the machine does with as many bytes: ``arrays_bare.py COUNT OUT`` writes bytes a second.

- ``routed``: frames of 1 MB through a bare ROUTER to another process and back.
- ``file``: as many bytes, there and back, written to a file; a sync after each 8 MB.
- ``lmdb``: the same, as records of 1 MB in LMDB, 8 in a transaction.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import bare
import lmdb

SIZE, GROUP = bare.BIG, 8


def to_file(folder: str, count: int) -> float:
    """Return the bytes a second of a file."""
    data = os.urandom(SIZE)
    began = time.perf_counter()
    with open(Path(folder, "file"), "wb", buffering=0) as file:
        for _ in range(count // GROUP):
            for _ in range(GROUP):
                file.write(data)
            os.fdatasync(file.fileno())
    return count // GROUP * GROUP * SIZE / (time.perf_counter() - began)


def to_lmdb(folder: str, count: int) -> float:
    """Return the bytes a second of LMDB."""
    data, number = os.urandom(SIZE), 0
    with lmdb.open(folder, map_size=4 * count * SIZE) as store:
        began = time.perf_counter()
        for _ in range(count // GROUP):
            with store.begin(write=True) as transaction:
                for _ in range(GROUP):
                    transaction.put(number.to_bytes(8, "big"), data, append=True)
                    number += 1
        return number * SIZE / (time.perf_counter() - began)


def main(count: int) -> dict[str, float]:
    """Return all figures."""
    with bare.through_a_router() as dealer:
        bare.routed(dealer, 20)
        found = {"routed": bare.routed(dealer, count)}
    for name, write in (("file", to_file), ("lmdb", to_lmdb)):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            found[name] = write(folder, 2 * count)
    return found


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(int(sys.argv[1]))))
