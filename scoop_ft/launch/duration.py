"""Durations as people and batch systems write them: 90s, 3h50m, 1d, 3:50:00, 1-12:00:00."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import click

_UNITS: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_WORDS = re.compile(r"(?:(\d+(?:\.\d+)?)([dhms]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):([0-5]?\d)(?::([0-5]?\d))?")


def seconds(text: str) -> float:
    """Return a duration in seconds.

    Raises
    ------
    ValueError
        It is none, or not a positive one.

    Examples
    --------
    >>> seconds("3h50m"), seconds("3:50:00"), seconds("1-12:00:00")
    (13800.0, 13800.0, 129600.0)
    """
    plain = text.strip().lower()
    found = _words(plain) if _WORDS.fullmatch(plain) else _clock(plain)
    if found <= 0:
        raise ValueError(f"{text!r} is no time at all")
    return found


def _words(text: str) -> float:
    parts = [(float(number), unit) for number, unit in _PART.findall(text)]
    units = [unit for _, unit in parts]
    if sorted(units, key="dhms".index) != units or len(set(units)) != len(units):
        raise ValueError(f"{text!r} names its units twice or in another order than d, h, m, s")
    return sum(number * _UNITS[unit] for number, unit in parts)


def _clock(text: str) -> float:
    """Read HH:MM, HH:MM:SS and D-HH:MM:SS."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write 90s, 3h50m, 1d or HH:MM:SS")
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def written(duration: float) -> str:
    """Write a duration as `seconds` reads it, without what is left of a second.

    Examples
    --------
    >>> written(3600), written(13_805), written(0.5)
    ('1h', '3h50m5s', '0s')
    """
    left, text = int(duration), ""
    for unit, size in _UNITS.items():
        number, left = divmod(left, int(size))
        text += f"{number}{unit}" if number else ""
    return text or "0s"


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A duration on the command line, in seconds; ``or_never``: 0 is endless."""

    name = "duration"

    def __init__(self, *, or_never: bool = False) -> None:
        self._or_never = or_never

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read what was typed."""
        if isinstance(value, float):
            return value
        if self._or_never and str(value).strip() == "0":
            return math.inf
        try:
            return seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
