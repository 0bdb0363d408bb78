"""The arguments of a recorded call by their names, as its function tells them."""

from __future__ import annotations

import inspect
from typing import Any


def named(loaded: Any, signature: inspect.Signature | None, *, spread: bool) -> dict[str, Any]:
    """Return arguments by name; by number where the function does not tell.

    Parameters
    ----------
    loaded
        What a call's pickle holds: positional arguments, or these and those with names.
    signature : Signature or None
        How the function is called; None: nobody tells, as some in C do not.
    spread : bool
        Each of ``*args`` for itself, as ``args[0]``.
    """
    args, kwargs = (loaded, {}) if isinstance(loaded, tuple) else loaded
    try:
        if signature is None:
            raise TypeError("it does not tell")
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {**{f"argument {i}": value for i, value in enumerate(args, 1)}, **kwargs}
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found |= value
        elif spread and kind is inspect.Parameter.VAR_POSITIONAL:
            found |= {f"{name}[{i}]": item for i, item in enumerate(value)}
        else:
            found[name] = value
    return found
