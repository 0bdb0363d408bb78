"""``scoop.shared``: constants for all processes of the run."""

from __future__ import annotations

from typing import Any

from .. import shared as ours
from ..errors import TimeoutError

__all__ = ["getConst", "setConst"]


def setConst(**constants: Any) -> None:  # noqa: N802 - SCOOP's name
    """Share values (functions included) under names; raises TypeError if a name has one."""
    ours.set_const(**constants)


def getConst(name: str, timeout: float | None = 0.1) -> Any:  # noqa: N802 - SCOOP's name
    """Return a shared value; None when nobody has set it within ``timeout`` seconds."""
    try:
        return ours.get_const(name, None if timeout in (None, float("inf")) else timeout)
    except TimeoutError:
        return None
