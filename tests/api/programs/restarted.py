"""Sets constants and uses them before and after its process is killed once."""

from __future__ import annotations

import os
import signal

from scoop_ft import futures, shared


def scaled(k: int) -> int:
    return k * int(shared.get_const("scale", timeout=30))


def tell() -> None:
    shared.set_const(by_task="told")


if __name__ == "__main__":
    first = not os.path.exists("once")
    shared.set_const(scale=3)
    assert list(futures.map(scaled, range(5))) == [0, 3, 6, 9, 12]
    futures.submit(tell).result()
    if first:
        open("once", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    assert shared.get_const("by_task", timeout=30) == "told"
    assert shared.get_const("scale", timeout=30) == 3
    try:
        shared.set_const(scale=4)
    except TypeError:
        print("set twice")
    assert list(futures.map(scaled, range(6))) == [0, 3, 6, 9, 12, 15]
    print("ok")
