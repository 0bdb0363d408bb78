"""What was really executed, read from the file that the programs' tasks write.

Only reads.  The lines are those of ``programs/ledgered.py``; a last line that is not complete yet
is left for the next look.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    """One line: ``root``, ``start`` or ``end``, a task's number, when, in which process."""

    word: str
    number: int
    at: float
    pid: int


class Ledger:
    """The ledger of one case."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        """Return all complete lines so far, in order."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind("\n") + 1].splitlines()
        return [
            Line(word, int(number), float(at), int(pid))
            for word, number, at, pid in map(str.split, whole)
        ]

    def ended(self) -> set[int]:
        """Return the numbers of the tasks that were executed to their end at least once."""
        return {line.number for line in self.lines() if line.word == "end"}

    def root(self) -> int | None:
        """Return the process that ran the program last."""
        return next((line.pid for line in reversed(self.lines()) if line.word == "root"), None)

    def running(self) -> list[Line]:
        """Return the starts whose end has not come, the latest first."""
        open_: dict[tuple[int, int], Line] = {}
        for line in self.lines():
            if line.word == "start":
                open_[line.number, line.pid] = line
            elif line.word == "end":
                open_.pop((line.number, line.pid), None)
        return sorted(open_.values(), key=lambda line: -line.at)


class Executions(NamedTuple):
    """What a ledger says about repetition.

    Attributes
    ----------
    starts : int
        Executions that were begun, of all inputs together.
    again : int
        Inputs that were begun more than once.
    needless : int
        Of these, the inputs that had been executed to their end when they were begun again.
    of_first : int
        How often the first input was begun.
    """

    starts: int
    again: int
    needless: int
    of_first: int


def count(lines: list[Line]) -> Executions:
    """Count how often inputs were executed."""
    begun: Counter[int] = Counter()
    ended: set[int] = set()
    needless: set[int] = set()
    for line in lines:
        if line.word == "start":
            begun[line.number] += 1
            if line.number in ended:
                needless.add(line.number)
        elif line.word == "end":
            ended.add(line.number)
    again = sum(1 for times in begun.values() if times > 1)
    return Executions(sum(begun.values()), again, len(needless), begun[0])


def executed_again_after(lines: list[Line], at: float) -> int:
    """Count the inputs that had been executed to their end at a moment and were begun after it."""
    before = {line.number for line in lines if line.word == "end" and line.at <= at}
    after = {line.number for line in lines if line.word == "start" and line.at > at}
    return len(before & after)
