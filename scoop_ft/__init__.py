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
    from .optioned import options
    from .pool import Pool
    from .randomness import numpy_rng, rng

__all__ = [
    "Executor",
    "Pool",
    "__version__",
    "checkpoint",
    "errors",
    "futures",
    "numpy_rng",
    "options",
    "register_joblib",
    "rng",
    "shared",
]


def register_joblib() -> None:
    """Make ``joblib.parallel_config("scoop_ft")`` known; so does ``import scoop_ft.joblib``."""
    from .joblib import register

    register()


def __getattr__(name: str) -> Any:
    if name in ("checkpoint", "errors", "futures", "shared"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    if name == "options":
        from .optioned import options

        globals()[name] = options
        return options
    if name in ("numpy_rng", "rng"):
        from . import randomness

        found = globals()[name] = getattr(randomness, name)
        return found
    if name in ("Executor", "Pool"):
        from importlib import import_module

        home = import_module(f"{__name__}.{name.lower()}")
        found = globals()[name] = getattr(home, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
