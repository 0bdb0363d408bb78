"""What options of a call can be: each is checked when it is given, and refused by its name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

MOST_ATTEMPTS: Final = 1_000
MOST_PRIORITY: Final = 1_000_000
MOST_OF_A_RESOURCE: Final = 1_000_000
LONGEST_S: Final = 1e9


def check(given: Mapping[str, Any]) -> None:
    """Check each option that is given.

    Raises
    ------
    TypeError, ValueError
        One cannot be what it is; the message names it.
    """
    for name, value in given.items():
        _CHECKS[name](value)


def _check_time_limit(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"options: time_limit is seconds, not {type(value).__name__}")
    if not (math.isfinite(value) and 0 < value <= LONGEST_S):
        raise ValueError(f"options: time_limit must be more than 0 seconds, not {value}")


def _check_attempts(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"options: attempts is an int, not {type(value).__name__}")
    if not 1 <= value <= MOST_ATTEMPTS:
        raise ValueError(f"options: attempts must be 1 to {MOST_ATTEMPTS:,}, not {value}")


def _check_priority(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"options: priority is an int, not {type(value).__name__}")
    if abs(value) > MOST_PRIORITY:
        raise ValueError(f"options: priority must be within ±{MOST_PRIORITY:,}, not {value}")


def _check_resources(value: Any) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"options: resources is a dict, not {type(value).__name__}")
    check_resources(value, "options: resources")


def check_resources(value: Mapping[Any, Any], what: str) -> None:
    """Check names and numbers of resources.

    Raises
    ------
    TypeError, ValueError
        One of them cannot be; the message begins with ``what``.
    """
    for name, number in value.items():
        if not isinstance(name, str):
            raise TypeError(f"{what}: a name is a str, not {type(name).__name__}")
        if not name or len(name) > 100 or any(c in name for c in "=, \n\t"):
            raise ValueError(f"{what}: {name!r} is no name for a resource")
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"{what}: {name} is an int, not {type(number).__name__}")
        if not 1 <= number <= MOST_OF_A_RESOURCE:
            raise ValueError(f"{what}: {name} must be at least 1, not {number}")


def _check_key(value: Any) -> None:
    if not isinstance(value, str) and not callable(value):
        raise TypeError(f"options: key is a str or a callable, not {type(value).__name__}")


def _check_repeatable(value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"options: repeatable is True or False, not {type(value).__name__}")


def check_together(given: Mapping[str, Any]) -> None:
    """Check options that were merged; raises ValueError."""
    if not given.get("repeatable", True) and given.get("attempts", 1) > 1:
        raise ValueError("options: attempts must be 1 where repeatable is False")


_CHECKS: Final[dict[str, Callable[[Any], None]]] = {
    "time_limit": _check_time_limit,
    "attempts": _check_attempts,
    "priority": _check_priority,
    "resources": _check_resources,
    "key": _check_key,
    "repeatable": _check_repeatable,
}
