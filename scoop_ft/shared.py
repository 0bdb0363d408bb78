"""Constants that every process of a run can read: set once, by whoever knows them.

Examples
--------
>>> from scoop_ft import shared
>>> shared.set_const(answer=42)
>>> shared.get_const("answer")
42
"""

from __future__ import annotations

from typing import Any

from .client.runtime import Runtime, current
from .errors import TimeoutError  # the built-in one only since Python 3.11

__all__ = ["getConst", "get_const", "setConst", "set_const"]

_here: dict[str, Any] = {}  # set where there is no run (yet)


def set_const(**constants: Any) -> None:
    """Share values (functions included) under names with the whole run.

    A program may set them before it opens an `Executor`: they go to each that it opens then.

    Raises
    ------
    TypeError
        A name has a value already.  (A task or script that is run again may set it again.)
    UnpicklableError
        A value cannot be sent.
    """
    runtime = current()
    for key, value in constants.items():
        if runtime is not None:
            runtime.set_const(key, value)
        elif key in _here:
            raise TypeError(f"the constant {key!r} is set already: constants do not change")
        else:
            _here[key] = value


def bring(runtime: Runtime) -> None:
    """Set in a run that this program has opened what it had set before."""
    for key, value in _here.items():
        runtime.set_const(key, value)


def get_const(name: str, timeout: float | None = None) -> Any:
    """Return a shared value, waiting until somebody has set it.

    Parameters
    ----------
    name : str
    timeout : float, optional
        Seconds to wait at most.

    Raises
    ------
    TimeoutError
        Nobody has set it in time.
    """
    runtime = current()
    if runtime is not None:
        return runtime.get_const(name, timeout)
    if name not in _here:
        raise TimeoutError(f"nobody has set the constant {name!r}")
    return _here[name]


setConst = set_const  # SCOOP's names
getConst = get_const
