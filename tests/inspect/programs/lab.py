"""Classes that may be gone when somebody looks into the journal."""

from __future__ import annotations


class Stuck(Exception):
    """An exception of the user's own."""


class Model:
    """A result of the user's own."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __repr__(self) -> str:
        return f"Model({self.size})"


class Deadly:
    """Nobody can load it and live."""

    def __reduce__(self) -> tuple[object, ...]:
        return die, ()


def die() -> object:
    """End a process, unless it is a worker or the root, which need it."""
    import os
    import sys

    if "scoop_ft.inspect.values" in sys.orig_argv:
        os.abort()
    return Deadly()
