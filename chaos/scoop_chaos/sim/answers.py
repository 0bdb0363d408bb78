"""What a program says when nobody disturbs it: its answer without a run, and what its keys name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scoop_ft import shared
from scoop_ft.client import runtime as runtime_of

from .workload import Program, script

_serial: dict[Program, Any] = {}  # of the last program only


def serially(program: Program) -> Any:
    """Return the answer that the program has without a run."""
    if program not in _serial:
        _serial.clear()
        before, runtime_of._current = runtime_of._current, None
        shared._here.clear()
        try:
            _serial[program] = script(program)
        finally:
            runtime_of._current = before
    return _serial[program]


def has_twins(program: Program) -> bool:
    """Is a call there more than once, so that its key says nothing about how often it runs?"""
    seen: set[str] = set()

    def visit(calls: Iterable[Any]) -> bool:
        for key, _, _, children in calls:
            if key in seen:
                return True
            seen.add(key)
            if visit(children):
                return True
        return False

    return visit(program)
