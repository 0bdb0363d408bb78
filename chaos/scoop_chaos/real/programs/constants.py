"""Constants that tasks read, one of them set by a task: ``constants.py TASKS SECONDS``."""

from __future__ import annotations

import sys
import time

from scoop_chaos.real.noting import noted, write
from scoop_ft import futures, shared

SECONDS = float(sys.argv[-1])


@noted
def announce(offset: int) -> int:
    time.sleep(SECONDS)
    shared.set_const(offset=offset)
    return offset


@noted
def scaled(n: int) -> int:
    time.sleep(SECONDS)
    return int(shared.get_const("scale")) * n + int(shared.get_const("offset"))


if __name__ == "__main__":
    write("S", "root:")
    shared.set_const(scale=7, table=bytes(100_000))
    said = futures.submit(announce, 11).result()
    values = list(futures.map(scaled, range(int(sys.argv[1]))))
    print(said, sum(values), len(shared.get_const("table")))
