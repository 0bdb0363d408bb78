"""Loads recorded pickles also where some of their classes are not there any more.

What cannot be imported is replaced by an object that says so when it is shown; everything around
it is as it was.  Only for looking: a worker never runs with such things.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any, Final

from .. import anew, script
from ..pickling import load


def load_what_is_there(payload: bytes, buffers: Sequence[bytes]) -> Any:
    """Return the object of a pickle as a worker would load it, or with stand-ins in it."""
    try:
        return load(payload, buffers)
    except Exception:  # noqa: BLE001 - user code may raise anything
        return _Patient(io.BytesIO(payload), buffers=[bytearray(b) for b in buffers]).load()


class _Patient(pickle.Unpickler):
    """Goes on where a class or function is missing."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            found = super().find_class(module, name)
        except Exception:  # noqa: BLE001 - importing runs user code
            return stand_in(f"{module}.{name}")
        ours = (mine for theirs, mine in _OURS if found is theirs)
        return next(ours, found)


def _from_script(name: str) -> Any:
    try:
        return script.from_script(name)
    except Exception:  # noqa: BLE001 - the script may not be there, or not run here
        return stand_in(name)


def _made(name: str, blob: bytes) -> Any:
    try:
        return anew.made(name, blob)
    except Exception:  # noqa: BLE001 - what makes it may not be there
        return stand_in(name)


_OURS: Final = ((script.from_script, _from_script), (anew.made, _made))


class StandIn:
    """Stands for an object of a class that is missing: takes whatever a pickle does to it."""

    missing = "?"

    def __new__(cls, *args: Any, **kwargs: Any) -> StandIn:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.parts = args

    def __setstate__(self, state: Any) -> None:
        self.parts = state

    def __call__(self, *args: Any, **kwargs: Any) -> StandIn:
        return type(self)(*args)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take an item of a dictionary."""

    def append(self, item: Any) -> None:
        """Take an item of a list."""

    def extend(self, items: Any) -> None:
        """Take items of a list."""

    def __repr__(self) -> str:
        return f"<{self.missing}, which cannot be imported here>"


def stand_in(name: str) -> type[StandIn]:
    """Make a class for what is missing under a name."""
    return type("StandIn", (StandIn,), {"missing": name})
