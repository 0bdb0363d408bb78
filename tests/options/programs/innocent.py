"""One worker: a task waits until its time is over while another one computes in its process."""

from __future__ import annotations

from noting import note, wait_for

from scoop_ft import futures, options, shared
from scoop_ft.errors import TaskTimeout


def waits(n: int) -> None:
    note("waits")
    shared.getConst("never set", timeout=600)


def computes(n: int) -> str:
    note("computes")
    wait_for("go")
    return "innocent"


if __name__ == "__main__":
    waiting = futures.submit(options(waits, time_limit=1), 0)
    wait_for("ledger")
    innocent = futures.submit(computes, 0)
    try:
        waiting.result()
    except TaskTimeout as error:
        print(error)
    note("told")
    print(innocent.result())
