"""An endless map over large arguments: ``endless.py RESULTS BUFFER``; prints memory as it grows.

A line: results taken, then the memory of this process and of the broker, in bytes.
What the broker sees of the journal's file is the kernel's, which takes it back: it is not counted.
"""

from __future__ import annotations

import itertools
import sys

import psutil

from scoop_ft import futures

SIZE = 4_096
LINES = 4


def length(data: bytes) -> int:
    return len(data)


def own(process: psutil.Process) -> int:
    memory = process.memory_info()
    return memory.rss - getattr(memory, "shared", 0)


if __name__ == "__main__":
    count, size = map(int, sys.argv[1:])
    me = psutil.Process()
    launcher = me.parent()
    assert launcher is not None
    [broker] = [p for p in launcher.children() if "scoop_ft.broker" in p.cmdline()]
    source = (n.to_bytes(SIZE, "little") for n in itertools.count())
    total = 0
    results = futures.map(length, source, buffersize=size)
    for taken, found in enumerate(itertools.islice(results, count), 1):
        total += found
        if taken % (count // LINES) == 0:
            print(taken, own(me), own(broker), flush=True)
    assert total == SIZE * count
