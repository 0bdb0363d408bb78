"""Lets processes that a task starts have the script's functions, which they cannot import.

A worker has the script under a name that is known in workers only.  cloudpickle, with which joblib
and others send functions to their processes, takes any module for one that can be imported there,
save ``__main__``: it is told, as it is imported, that this one is of that kind too.  What the
framework itself sends, and how, is decided elsewhere.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, Final

from ..script import WORKER_NAME

COPIES: Final = ("cloudpickle.cloudpickle", "joblib.externals.cloudpickle.cloudpickle")


def install() -> None:
    """Watch for cloudpickle; whoever has it already is told now."""
    for name in COPIES:
        if name in sys.modules:
            _tell(sys.modules[name])
    sys.meta_path.insert(0, _Finder())


class _Finder:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target) if name in COPIES else None
        if found is None or found.loader is None:
            return None
        load = found.loader.exec_module

        def load_and_tell(module: types.ModuleType) -> None:
            load(module)
            _tell(module)

        found.loader.exec_module = load_and_tell  # type: ignore[method-assign]
        return found


def _tell(cloudpickle: types.ModuleType) -> None:
    cloudpickle.register_pickle_by_value(types.ModuleType(WORKER_NAME))
