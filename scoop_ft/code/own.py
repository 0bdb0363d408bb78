"""Decides which modules are the user's own: neither Python's, nor installed, nor scoop-ft's.

The user's own code is what travels with a run and what may be edited under it.  The decision looks
at names and paths only: a module that is imported stays what it was, whatever becomes of its file.
Imports nothing of the user's.
"""

from __future__ import annotations

import functools
import importlib.machinery
import os
import site
import sys
from typing import Final

from .. import script

_OURS: Final = frozenset({"scoop_ft", "scoop_journal", "scoop_chaos"})
_INSTALLED: Final = ("site-packages", "dist-packages")  # also those of other environments


def is_own(name: str) -> bool:
    """Tell whether a module is the user's own Python source, without importing it.

    The script is, whatever its file is called.  A compiled module is not, nor a package without an
    ``__init__.py``, which has no code.
    """
    if name in script.MODULE_NAMES:
        return script.path() is not None
    return _is_own(name)


@functools.cache
def _is_own(name: str) -> bool:
    path = source_file(name) if name else None
    return path is not None and is_own_place(name, os.path.dirname(path))


def is_own_place(name: str, folder: str) -> bool:
    """Tell whether a module of this name, in this folder, would be the user's own."""
    return name.partition(".")[0] not in _OURS and _is_own_folder(folder)


@functools.lru_cache(maxsize=4096)
def _is_own_folder(folder: str) -> bool:
    parts = folder.replace("\\", "/").split("/")
    if any(installed in parts for installed in _INSTALLED):
        return False
    inside = os.path.normcase(folder) + os.sep
    return not any(inside.startswith(place) for place in _places())


@functools.lru_cache(maxsize=1)
def _places() -> tuple[str, ...]:
    """Return the folders of Python itself (`sysconfig` takes 20 ms to say the same)."""
    paths = {os.path.dirname(os.__file__), site.getusersitepackages(), *site.getsitepackages()}
    paths |= {os.path.realpath(path) for path in paths}
    return tuple(sorted(os.path.normcase(os.path.abspath(path)) + os.sep for path in paths))


# ---- where a module is --------------------------------------------------------------------------


def source_file(name: str) -> str | None:
    """Return the path of a module's Python source; None where it is made of something else."""
    spec = getattr(sys.modules.get(name), "__spec__", None) or find(name)
    origin = getattr(spec, "origin", None)
    if not isinstance(origin, str) or not origin.endswith((".py", ".pyw")):
        return None
    return os.path.abspath(origin)


def own_file(name: str) -> str | None:
    """Return the path of a module's source if it is the user's own, as the disk is now.

    Unlike `is_own` this remembers nothing: it is asked for what may never be imported, and what is
    not found now may be later.
    """
    try:
        origin = getattr(_locate(name), "origin", None)
    except Exception:  # noqa: BLE001 - anybody's finder may refuse it: who imports it will hear
        return None
    if not isinstance(origin, str) or not origin.endswith((".py", ".pyw")):
        return None
    return origin if is_own_place(name, os.path.dirname(origin)) else None


@functools.cache
def find(name: str) -> importlib.machinery.ModuleSpec | None:
    """Find a module without importing it or its package."""
    return _locate(name)


def _locate(name: str) -> importlib.machinery.ModuleSpec | None:
    where = None
    found: importlib.machinery.ModuleSpec | None = None
    begin = ""
    for part in name.split("."):
        begin = f"{begin}.{part}" if begin else part
        found = _find(begin, where)
        if found is None:
            return None
        where = list(found.submodule_search_locations or ())
    return found


def _find(name: str, where: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    """Find a module as an import of it would, which may be in the journal and not on the disk."""
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)  # old ones have none
        if find_spec is not None:
            found: importlib.machinery.ModuleSpec | None = find_spec(name, where)
            if found is not None:
                return found
    return None
