"""Imported by the script and by its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

SCALE = 10


class Point(NamedTuple):
    x: int
    y: int


def scaled(k: int) -> int:
    return k * SCALE


def numbers() -> Iterator[int]:
    yield -1
    yield -2
