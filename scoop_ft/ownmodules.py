"""Decides which modules are the user's own: neither Python's, nor installed, nor scoop-ft's.

The user's own code is what travels with a run and what may be edited under it.  The decision looks
at paths only, never at the disk, so that a module whose file is gone stays what it was.
"""

from __future__ import annotations

import functools
import os
import site
import types
from typing import Final

from . import script

OURS: Final = frozenset({"scoop_ft", "scoop_journal", "scoop_chaos"})
_INSTALLED: Final = ("site-packages", "dist-packages")  # also those of other environments


def is_own_module(module: types.ModuleType | None) -> bool:
    """Tell whether a module is the user's own Python source.

    The script is, whatever its name in this process.  A compiled module is not, nor a package
    without an ``__init__.py``, which has no code.

    Parameters
    ----------
    module : module or None
        What stands in ``sys.modules``.
    """
    file = source_file(module)
    if file is None:
        return False
    name = getattr(module, "__name__", None)
    if isinstance(name, str) and name.partition(".")[0] in OURS:
        return False
    return is_own_folder(os.path.dirname(file))


def source_file(module: types.ModuleType | None) -> str | None:
    """Return the path of the Python source that a module says it was made from, else None."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    # Only the script may be called anything: ``scoop-ft run study`` is as good as ``study.py``.
    is_source = file.endswith((".py", ".pyw")) or module is script.module()
    return os.path.abspath(file) if is_source else None


@functools.lru_cache(maxsize=4096)
def is_own_folder(folder: str) -> bool:
    """Tell whether modules in a folder are the user's own."""
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
