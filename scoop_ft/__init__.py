"""scoop-ft: parallel futures for scientists that survive the death of any process.

    from scoop_ft import futures

    if __name__ == "__main__":
        print(sum(futures.map(f, data)))

started with ``scoop-ft run script.py``.  Public names only, loaded when they are first used;
nothing is defined here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import checkpoint, errors, futures, shared
    from .executor import Executor
    from .randomness import numpy_rng, rng

__all__ = ["Executor", "__version__", "checkpoint", "errors", "futures", "numpy_rng", "rng", "shared"]


def __getattr__(name: str) -> Any:
    if name in ("checkpoint", "errors", "futures", "shared"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    if name in ("numpy_rng", "rng"):
        from . import randomness

        found = globals()[name] = getattr(randomness, name)
        return found
    if name == "Executor":
        from .executor import Executor

        globals()[name] = Executor
        return Executor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
