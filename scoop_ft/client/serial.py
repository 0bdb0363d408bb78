"""Without a run: a script started with plain ``python`` does its tasks here, one by one."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

_warned = False


def warn() -> None:
    """Say once how to start the script in parallel."""
    global _warned
    if not _warned:
        _warned = True
        name = os.path.basename(sys.argv[0]) or "script.py"
        warnings.warn(
            f"running serially and without a journal: start it with 'scoop-ft run {name}'",
            RuntimeWarning,
            stacklevel=4,
        )


def call(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, BaseException | None]:
    """Call a function now; return its value or its exception."""
    try:
        return func(*args, **kwargs), None
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for
        return None, error
