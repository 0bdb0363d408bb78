"""On a terminal the progress bar takes nothing of what the script prints, or its user types."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .conftest import Shell
from .terminal import COLUMNS, Terminal

SWEEPS = """
import time
from pathlib import Path
from scoop_ft import futures

def same(x):
    return x

if __name__ == "__main__":
    for k in range(3):
        print(f"sweep {k}: ", end="", flush=True)
        time.sleep(0.3)  # it is shown as it is
        for r in futures.map(same, range(6)):
            print(r, end=" ", flush=True)
            while r == 3 and not Path(f"go{k}").exists():
                time.sleep(0.05)
        print()
"""
ASKS = """
import time
from pathlib import Path
from scoop_ft import futures

def wait(x):
    while not Path("go").exists():
        time.sleep(0.05)

if __name__ == "__main__":
    waiting = [futures.submit(wait, x) for x in range(3)]
    name = input("\\x1b[1mname?\\x1b[0m ")
    futures.wait(waiting)
    print("hello", name)
"""
REWRITES = """
import time
from pathlib import Path
from scoop_ft import futures

def wait(x):
    time.sleep(0.3)

if __name__ == "__main__":
    for k in range(3):
        print(f"{k} of 3 ", end="\\r", flush=True)
        list(futures.map(wait, range(4)))
        while not Path(f"go{k}").exists():
            time.sleep(0.05)
    print()
    print("x" * LENGTH, end="", flush=True)
    list(futures.map(wait, range(4)))
"""
Typed = Callable[[str], Terminal]


@pytest.fixture
def typed(shell: Shell) -> Iterator[Typed]:
    """Runs a script on a terminal."""
    opened: list[Terminal] = []

    def start(text: str) -> Terminal:
        command = shell.command("run", "-n", "2", shell.script(text))
        opened.append(Terminal(command, shell.folder))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def bar_rows(terminal: Terminal) -> list[int]:
    return [number for number, row in enumerate(terminal.rows()) if "━" in row]


def test_an_incomplete_line_stays_and_the_bar_is_below_it(typed: Typed, shell: Shell) -> None:
    terminal = typed(SWEEPS)
    for k in range(3):
        terminal.until(lambda k=k: terminal.cursor_row() == f"sweep {k}: 0 1 2 3 ")
        terminal.until(lambda: bar_rows(terminal))
        (bar,) = bar_rows(terminal)
        assert terminal.rows()[bar - 1] == f"sweep {k}: 0 1 2 3"
        (shell.folder / f"go{k}").touch()
    assert terminal.finish() == 0
    rows = [row for row in terminal.rows() if row]
    assert rows[:3] == [f"sweep {k}: 0 1 2 3 4 5" for k in range(3)]
    assert rows[3].startswith("scoop-ft: 18 of 18 tasks done")
    assert len(rows) == 4


def test_a_question_can_be_answered_and_the_bar_comes_back(typed: Typed, shell: Shell) -> None:
    terminal = typed(ASKS)
    terminal.until(lambda: terminal.cursor_row() == "name? " and bar_rows(terminal))
    terminal.type("An")
    terminal.until(lambda: terminal.cursor_row() == "name? An")
    terminal.type("na\n")
    terminal.until(lambda: "name? Anna" in terminal.rows() and not terminal.cursor_row())
    asked = terminal.rows().index("name? Anna")
    terminal.until(lambda: bar_rows(terminal) == [asked + 2])  # the cursor is in the row between
    (shell.folder / "go").touch()
    assert terminal.finish() == 0
    rows = [row for row in terminal.rows() if row]
    assert rows[:2] == ["name? Anna", "hello Anna"]
    assert len(rows) == 3


@pytest.mark.parametrize("length", [COLUMNS, COLUMNS - 1, 2 * COLUMNS])
def test_a_line_that_the_bar_could_spoil_has_none(typed: Typed, shell: Shell, length: int) -> None:
    """It moves the cursor, or the cursor waits behind its row's last character."""
    terminal = typed(REWRITES.replace("LENGTH", str(length)))
    for k in range(3):
        terminal.until(lambda k=k: f"{k} of 3" in terminal.rows())
        (shell.folder / f"go{k}").touch()
    assert terminal.finish() == 0
    written = "".join(terminal.rows())
    assert written.startswith("2 of 3" + "x" * length + "scoop-ft: 16 of 16")
