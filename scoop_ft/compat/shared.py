"""``scoop.shared``: constants for all processes of the run.

As with SCOOP, a process has one object for each constant, loaded once: scripts ask for them in
their innermost loops.
"""

from __future__ import annotations

from typing import Any

from .. import shared as ours
from ..client.runtime import current
from ..errors import TimeoutError

__all__ = ["getConst", "setConst"]

_loaded: dict[str, tuple[Any, Any]] = {}  # name -> what it was loaded from, and the object


def setConst(**constants: Any) -> None:
    """Share values (functions included) under names; raises TypeError if a name has one."""
    ours.set_const(**constants)


def getConst(name: str, timeout: float | None = 0.1) -> Any:
    """Return a shared value; None when nobody has set it within ``timeout`` seconds."""
    known = _loaded.get(name)
    if known is not None and known[0] is _source(name):
        return known[1]
    try:
        value = ours.get_const(name, None if timeout in (None, float("inf")) else timeout)
    except TimeoutError:
        return None
    _loaded[name] = (_source(name), value)
    return value


def _source(name: str) -> Any:
    """Return the bytes that a constant is made of: others, when it was set anew."""
    runtime = current()
    return None if runtime is None else runtime.session.consts.get(name)
