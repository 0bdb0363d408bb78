"""Makes the name ``scoop`` mean `scoop_ft.compat` in this process, whether or not SCOOP is there.

Called where a process gets its script, before anything of the user's is imported.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import Any, Final

from ..surroundings import AsScoop

NAME: Final = "scoop"
_MODULES: Final = {
    "scoop": "scoop_ft.compat",
    "scoop.futures": "scoop_ft.compat.futures",
    "scoop.shared": "scoop_ft.compat.shared",
    "scoop._types": "scoop_ft.compat.types",
}


def install(told: AsScoop, *, origin: bool) -> None:
    """Let ``import scoop`` find us.

    Parameters
    ----------
    told : AsScoop
        How the run was started.
    origin : bool
        Whether this process runs the script.
    """
    for name, module in _MODULES.items():
        sys.modules[name] = importlib.import_module(module)
    if not any(isinstance(finder, _Rest) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Rest())
    if os.getcwd() not in sys.path:  # as ``python -m scoop`` has it
        sys.path.append(os.getcwd())
    _set_constants(told, origin)


def _set_constants(told: AsScoop, origin: bool) -> None:
    from .. import compat

    here = socket.gethostname()
    compat.IS_RUNNING = True
    compat.IS_ORIGIN = origin
    compat.SIZE = told.size
    compat.DEBUG = told.debug
    compat.MAIN_MODULE = told.main_module
    compat.WORKING_DIRECTORY = os.getcwd()
    compat.BROKER = compat.BrokerInfo(here, 0, 0, here)
    compat.CONFIGURATION = {"headless": False, "backend": "ZMQ"}
    compat.worker = f"{here}:{os.getpid()}".encode()
    _set_up(compat.logger, told.level, f"{here}:{os.getpid()}")


def _set_up(logger: logging.Logger, level: int, here: str) -> None:
    logger.setLevel(level)
    logger.propagate = False
    if not logger.handlers:
        handler = logging.StreamHandler()
        form = f"[%(asctime)s] %(module)-9s ({here}) %(levelname)-7s %(message)s"
        handler.setFormatter(logging.Formatter(form))
        logger.addHandler(handler)


class _Rest:
    """Says of the rest of SCOOP that it is not there, before an installed SCOOP is looked at."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """Find nothing, and say why."""
        if name.startswith(NAME + "."):
            raise ModuleNotFoundError(
                f"No module named {name!r}: with --scoop there are scoop.futures and "
                "scoop.shared; SCOOP's own inner modules have no counterpart",
                name=name,
            )
        return None
