"""Resources of workers as people type them: ``gpu=1,licence=2``.

What a worker says it has is not looked for anywhere: the number is compared with what tasks ask
for, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .errors import RunError
from .option_values import check_resources

NOTHING: Final[Mapping[str, int]] = {}


def parse(text: str) -> dict[str, int]:
    """Return the resources that a text names.

    Raises
    ------
    RunError
        It names none, or a name or number cannot be.
    """
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, equals, number = part.strip().partition("=")
        if not equals or not number.strip().isdigit():
            raise RunError(f"--resources wants NAME=N, such as gpu=1, not {part.strip()!r}")
        found[name.strip()] = int(number)
    try:
        check_resources(found, "--resources")
    except (TypeError, ValueError) as error:
        raise RunError(str(error)) from None
    return found


def typed(context: Any, parameter: Any, value: str | None) -> dict[str, int] | None:
    """Read the option of a command line (as click asks for it); None: it was not given."""
    return None if value is None else parse(value)


def text(resources: Mapping[str, int]) -> str:
    """Return resources as they are typed."""
    return ",".join(f"{name}={number}" for name, number in sorted(resources.items()))
