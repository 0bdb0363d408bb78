"""What came of a program, in words: right answer, wrong answer, error, hangs.

Only looks at what the program left: its exit code, its output, its ledger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

LONGEST = 120


class Outcome(str, Enum):
    """The end of a case."""

    RIGHT = "right answer"
    WRONG = "wrong answer"
    ERROR = "error"
    HANGS = "hangs"
    NO_SUCH = "no such process"


@dataclass
class Cell:
    """One field of the matrix.

    Attributes
    ----------
    outcome : Outcome
        What came of it.
    text : str
        The error's first line, the wrong answer, how long was waited.
    seconds : float or None
        From the program's first start to its end; only with an answer.
    starts, again, needless, of_first : int
        See `ledger.Executions`.
    done_before : int or None
        Inputs that had been executed to their end when the death came.
    reused : int or None
        Of these, those that were not executed again; only with the right answer.
    remark : str
        What a person had to do besides.
    """

    outcome: Outcome
    text: str = ""
    seconds: float | None = None
    starts: int = 0
    again: int = 0
    needless: int = 0
    of_first: int = 0
    done_before: int | None = None
    reused: int | None = None
    remark: str = ""


def judge(code: int, output: str, errors: str, expected: int) -> tuple[Outcome, str]:
    """Name what an ended program did, and quote what it said."""
    answers = re.findall(r"^answer (.*)$", output, re.MULTILINE)
    if code != 0:
        return Outcome.ERROR, first_line_of_error(errors + output) or _exit(code)
    if answers == [str(expected)]:
        return Outcome.RIGHT, ""
    if not answers:
        return Outcome.ERROR, first_line_of_error(errors + output) or "no answer, exit code 0"
    return Outcome.WRONG, ", ".join(answers)[:LONGEST]


def first_line_of_error(text: str) -> str:
    """Return the exception that ended a program: the first line of its last traceback's message.

    Where there is no traceback, the last line that says something.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    starts = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent")]
    for line in lines[starts[-1] + 1 :] if starts else []:
        if not line[0].isspace():
            return line[:LONGEST]
    return lines[-1].strip()[:LONGEST] if lines else ""


def _exit(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
