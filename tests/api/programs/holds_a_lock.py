"""A task holds a lock while it waits; another one of the same process asks for it."""

import contextlib
import io
import pathlib
import sys
import threading
import time

from scoop_ft import futures
from scoop_ft.worker import stuck

stuck.STILL_S = 2.0
here = pathlib.Path("met")
lock = threading.Lock()


def meets(number):
    (here / f"{number}").touch()
    waits_for_both()  # in another process each
    time.sleep(3 * number)


def waits_for_both():
    while not ((here / "0").exists() and (here / "1").exists()):
        time.sleep(0.01)


def holds():
    with lock:
        list(futures.map(meets, [0, 1]))


def asks():
    with contextlib.redirect_stderr(io.StringIO()):
        got = lock.acquire(timeout=8)  # stands still here
    return got


def computes():
    until = time.monotonic() + 8
    while time.monotonic() < until:
        sum(range(1000))


if __name__ == "__main__":
    beside = {"asks": asks, "computes": computes}[sys.argv[1]]
    here.mkdir()
    first = futures.submit(holds)
    waits_for_both()
    second = futures.submit(beside)
    print(first.result(), second.result())
