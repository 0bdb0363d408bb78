"""What the standard library's executor and pool take, and ours do not: what to do instead."""

from __future__ import annotations

from typing import Any, Final

_CONTEXT: Final = (
    "leave it out: each worker is a new process that imports the script, as with 'spawn'"
)
_TASKS: Final = (
    "leave it out; if calls leak memory, start the script with 'scoop-ft run "
    "--max-tasks-per-worker N', whose workers it uses then"
)
_INSTEAD: Final = {
    "mp_context": _CONTEXT,
    "context": _CONTEXT,
    "max_tasks_per_child": _TASKS,
    "maxtasksperchild": _TASKS,
}


def check(called: str, **given: Any) -> None:
    """Refuse what is given of these, but for None, which asks for nothing.

    Raises
    ------
    TypeError
        It names what to do instead.
    """
    for name, value in given.items():
        if value is not None:
            raise TypeError(f"{called} takes no {name}: {_INSTEAD[name]}")
