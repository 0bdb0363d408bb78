"""Modules that are another version without having been loaded anew.

IPython's autoreload, as long as only functions, classes and constants were edited, puts the new
ones into the module and leaves its spec as it was.  A file that was edited and is not in its module
yet is none of our business: the program goes on with what it has.  Looks only, and at no file
where autoreload is not in use.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

_PATCHES: Final = "IPython.extensions.autoreload"  # imported by %load_ext
_CONSTANTS: Final = (int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


class Patched:
    """Knows modules as they were told."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, Any, list[Any]]] = {}  # file, its stamp, what is in it

    def told(self, name: str, path: str) -> None:
        """Take note of a module whose file was just read."""
        self._told[name] = path, _stamp(path), list(_parts(name))

    def forget(self, name: str) -> None:
        """A module of this name is not there any more, or another one is."""
        self._told.pop(name, None)

    def look(self) -> list[str]:
        """Return the modules that are not what was told, since their files were edited."""
        if _PATCHES not in sys.modules:
            return []
        return [
            name
            for name, (path, stamp, parts) in list(self._told.items())
            if _stamp(path) != stamp and not _same(parts, list(_parts(name)))
        ]


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _same(some: list[Any], others: list[Any]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def _parts(name: str) -> Iterator[Any]:
    """Yield what of a module is replaced when it is edited."""
    module = sys.modules.get(name)
    if module is not None:
        yield from _parts_of(vars(module), name, set())


def _parts_of(namespace: Mapping[str, Any], name: str, seen: set[int]) -> Iterator[Any]:
    for value in list(namespace.values()):
        each = value
        if type(value) in (staticmethod, classmethod):
            each = value.__func__
        elif type(value) is property:
            each = value.fget
        if type(each) is types.FunctionType:
            if each.__module__ == name:
                yield from (each.__code__, each.__closure__, each.__defaults__, each.__kwdefaults__)
        elif isinstance(each, type):
            if each.__module__ == name and id(each) not in seen:
                seen.add(id(each))
                yield each
                yield from _parts_of(vars(each), name, seen)
        elif type(each) in _CONSTANTS:
            yield each
