"""``once.py MODE``: a task that may not be repeated (``no``) or may (``yes``), and another."""

from __future__ import annotations

import sys

from noting import note, wait_for

from scoop_ft import futures, options
from scoop_ft.errors import TaskLost


def pays(n: int) -> str:
    note("pays")
    wait_for("go")
    return f"paid {n}"


def other(n: int) -> int:
    note("other")
    return n


if __name__ == "__main__":
    payment = futures.submit(options(pays, repeatable=sys.argv[1] == "yes"), 5)
    wait_for("begun")
    assert futures.submit(other, 1).result() == 1
    note("between")
    try:
        print(payment.result())
    except TaskLost as error:
        print(error)
