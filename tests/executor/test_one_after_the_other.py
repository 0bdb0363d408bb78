"""Of executors that a program opens one after the other, for weeks, nothing stays in it."""

from __future__ import annotations

from .conftest import Program

OPENS_AND_CLOSES = """
import gc, threading, time
import psutil
from scoop_ft import Executor, Pool

def have():
    deadline = time.monotonic() + 20  # one may just be looking for packages
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    return [each.name for each in threading.enumerate()], psutil.Process().num_fds()

def open_and_close():
    with Executor(1) as executor:
        assert executor.submit(abs, -1).result() == 1
    with Pool(1) as pool:
        assert pool.map(abs, [-1]) == [1]

if __name__ == "__main__":
    gc.disable()  # with a million objects of the program's own it comes once in an hour
    open_and_close()
    before = have()
    open_and_close()
    assert have() == before, (before, have())
"""


def test_what_is_closed_leaves_no_thread_and_no_descriptor(program: Program) -> None:
    program.write(OPENS_AND_CLOSES)
    assert program.run() == ("", "", 0)
