"""Tasks that never return, each in its own way, and innocent ones beside them."""

from __future__ import annotations

import ctypes
import json
import os

from noting import note, wait_for

from scoop_ft import futures, options
from scoop_ft.errors import TaskTimeout


def hold(n: int) -> str:
    """Hold the GIL in C until there is a file."""
    note(f"hold{n}")
    while not os.path.exists("go"):
        ctypes.PyDLL(None).sleep(600)  # a PyDLL's functions keep the GIL
    return "held"


def square(n: int) -> int:
    note(f"square{n}")
    return n * n


def waits(n: int) -> str:
    note(f"waits{n}")
    return str(futures.submit(child, n).result())


def child(n: int) -> str:
    note(f"child{n}")
    wait_for("go")
    return "waited"


def catches(n: int) -> str:
    """A parent whose child never returns; it has done something before."""
    done = futures.submit(square, n).result()
    try:
        return futures.submit(options(hold, time_limit=1), n).result()
    except TimeoutError as error:
        return f"{done} {type(error).__name__}"


def outcome(future: futures.Future) -> str:
    try:
        return str(future.result())
    except TaskTimeout as error:
        return str(error)


if __name__ == "__main__":
    limit = 1 if not os.path.exists("go") else 60
    held = futures.submit(options(hold, time_limit=limit), 1)
    caught = futures.submit(catches, 7)
    waiting = futures.submit(options(waits, time_limit=limit), 3)
    squares = list(futures.map(square, range(200)))
    told = {"hold": outcome(held), "catches": outcome(caught), "waits": outcome(waiting)}
    print(json.dumps({"squares": sum(squares), **told}))
