"""Shared constants of a program with an executor: set before it opens, or by nobody."""

from __future__ import annotations

import select
import time

from .conftest import Program

SOON_S = 12.0

BEFORE = """
import sys, threading
from scoop_ft import Executor, shared

def scaled(x):
    return shared.get_const("scale") * x

if __name__ == "__main__":
    shared.set_const(scale=int(sys.argv[1]))
    for _ in range(2):
        with Executor(max_workers=1, run_dir=sys.argv[2]) as executor:
            print(list(executor.map(scaled, [1, 2])))
    if "lock" in sys.argv:
        shared.set_const(lock=threading.Lock())
        Executor(max_workers=1)
"""


def test_what_was_set_before_the_executor_opens_is_there(program: Program) -> None:
    program.write(BEFORE)
    out, err, code = program.run("program.py", "3", "run")
    assert (out, err, code) == ("[3, 6]\n[3, 6]\n", "", 0)


def test_another_value_than_that_of_before_asks(program: Program) -> None:
    program.write(BEFORE)
    assert program.run("program.py", "3", "run")[2] == 0
    began_s = time.monotonic()
    out, err, code = program.run("program.py", "4", "run")
    assert (out, code) == ("", 1)
    assert time.monotonic() - began_s < SOON_S, "nothing is waited for"
    assert "the constant 'scale' is set to another value than before" in err


def test_one_that_cannot_travel_is_named_as_it_opens(program: Program) -> None:
    program.write(BEFORE)
    out, err, code = program.run("program.py", "3", "run", "lock")
    assert (out, code) == ("[3, 6]\n[3, 6]\n", 1)
    assert "UnpicklableError: the constant 'lock' cannot be sent" in err


NEVER = """
import time
from pathlib import Path
from scoop_ft import Executor, shared

def scaled(x):
    return shared.get_const("scale") * x

if __name__ == "__main__":
    with Executor(max_workers=1) as executor:
        late = executor.map(scaled, [1, 2])
        while not Path("go").exists():
            time.sleep(0.05)
        shared.set_const(scale=5)
        print(list(late))
"""


def test_who_waits_for_one_that_nobody_has_set_says_so_once(program: Program) -> None:
    program.write(NEVER)
    process = program.start()
    assert process.stderr is not None
    assert select.select([process.stderr], [], [], SOON_S)[0]
    (program.folder / "go").touch()
    out, err = process.communicate(timeout=SOON_S)
    assert out == "[5, 10]\n"
    assert err == "scoop-ft: waiting for the constant 'scale', which nobody has set yet\n"


IN_VAIN = """
import threading
from scoop_ft import Executor, shared
from scoop_ft.errors import UnpicklableError

def opened(**more):
    try:
        with Executor(max_workers=1, run_dir="run", **more) as executor:
            print(list(executor.map(abs, [-1])))
    except UnpicklableError as error:
        print(str(error).partition(" cannot")[0])

if __name__ == "__main__":
    opened(initializer=print, initargs=(threading.Lock(),))
    opened()
    shared.set_const(lock=threading.Lock())
    opened()
    shared._here.clear()
    opened()
"""


def test_an_executor_that_does_not_open_leaves_its_run(program: Program) -> None:
    program.write(IN_VAIN)
    out, err, code = program.run("program.py")
    assert code == 0, err
    initializer, first, constant, second = out.splitlines()
    assert (first, second) == ("[1]", "[1]")
    assert "initializer" in initializer or "constant" in initializer
    assert constant == "the constant 'lock'"
