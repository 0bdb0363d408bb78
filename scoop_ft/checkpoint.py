"""Checkpoints: a task, or the script, saves its state, and run again goes on from there.

Whatever ends its process, the next attempt starts from the last state that was saved, on whatever
machine that is.  Without a run (plain ``python``) nothing is saved and `load` gives the default.

Examples
--------
>>> from scoop_ft import checkpoint
>>> def integrate(steps):
...     state = checkpoint.load({"done": 0, "x": 1.0})
...     while state["done"] < steps:
...         state["x"] *= 0.5
...         state["done"] += 1
...         checkpoint.save(state)
...     return state["x"]
>>> integrate(3)
0.125
"""

from __future__ import annotations

from typing import Any, TypeVar

from . import script
from .client import kept
from .client.runtime import current

__all__ = ["load", "save"]

T = TypeVar("T")


def load(default: T | None = None) -> T | None:
    """Return the state that was last saved by this task (or script); ``default`` if there is none.

    What comes before the first call is done again each time, and finds its recorded results.  What
    was submitted between this call and the last `save` is not submitted again: its results are a
    part of the state, and leave the journal.

    Parameters
    ----------
    default : object
        What to begin with.

    Returns
    -------
    object
        A copy of its own, as after unpickling.
    """
    _refuse_while_importing("load")
    runtime = current()
    if runtime is None:
        return default
    found = kept.load(runtime)
    return default if found is None else found[0]


def save(state: Any, *, every: float = 30.0, wait: bool = False) -> bool:
    """Save the state of this task (or script), if the last time was long enough ago.

    It is pickled now, large arrays are copied once, and the caller goes on while it is sent and
    synced; one that is still under way when the next comes is not overtaken.  A task that is asked
    to leave its machine saves whatever ``every`` says.

    Parameters
    ----------
    state : object
        Anything that can be pickled; its class may have a say by ``__getstate__``.
    every : float
        Seconds between two that are saved, and from `load` to the first; 0 for all.
    wait : bool
        Save it now, and return when it is synced to disk.

    Returns
    -------
    bool
        Whether it was saved.

    Raises
    ------
    UnpicklableError
        The state cannot be pickled: the message names the part.
    ValueError
        ``every`` is no number of seconds.
    """
    _refuse_while_importing("save")
    if not isinstance(every, (int, float)) or not every >= 0:
        raise ValueError(f"every is a number of seconds, 0 or more, not {every!r}")
    runtime = current()
    if runtime is None:
        return False
    return kept.save(runtime, state, every, wait)


def _refuse_while_importing(name: str) -> None:
    script.refuse_while_importing(
        f"calls checkpoint.{name}() while it is imported",
        "call it in the task, or under 'if __name__ == \"__main__\":', since each worker imports "
        "the script",
    )
