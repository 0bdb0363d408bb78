"""Options of a call, out of band: `options` wraps a function, and whoever submits it finds them.

They say how a call is run, never what it is: function, arguments and results stay what they would
be without.  Checked when they are given.  Loaded by every process: imports next to nothing, and
submits nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from .option_values import check, check_together
from .wire.messages import PLAIN, Options

F = TypeVar("F", bound=Callable[..., Any])
Key = str | Callable[..., str]


class Optioned:
    """A function with options; called directly, it is the function.

    Attributes
    ----------
    func : callable
        The function itself, never another `Optioned`.
    wrapped : callable
        What was wrapped: ``func``, or an `Optioned` of it.
    given : dict
        The options that were given, this one's before those of what it wraps.
    key : str, callable or None
        See `options`; a callable takes the call's arguments.
    how : Options
        All but the key, as they travel.
    """

    def __init__(self, wrapped: Callable[..., Any], given: Mapping[str, Any]) -> None:
        inner = wrapped if isinstance(wrapped, Optioned) else None
        self.func: Callable[..., Any] = inner.func if inner is not None else wrapped
        self.wrapped = wrapped
        self.given: dict[str, Any] = {**(inner.given if inner is not None else {}), **given}
        check_together(self.given)
        self.key: Key | None = self.given.get("key")
        self.how = _travelling(
            float(self.given.get("time_limit", 0.0)),
            self.given.get("attempts", 0),
            self.given.get("priority", 0),
            tuple(sorted(self.given.get("resources", {}).items())),
            self.given.get("repeatable", True),
            self.key is not None,
        )
        functools.update_wrapper(self, self.func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in sorted(self.given.items()))
        return f"options({self.func!r}, {given})"

    def __get__(self, holder: Any, kind: type | None = None) -> Any:
        """Decorated in a class, it is a method: with the same options."""
        if holder is None:
            return self
        return Optioned(self.func.__get__(holder, kind), self.given)

    def __reduce__(self) -> Any:
        by_name = _reference(self)
        return by_name if by_name is not None else (_again, (self.wrapped, self.given))

    def travelling(self) -> Callable[..., Any]:
        """Return what is pickled when it is called elsewhere: the same bytes as without options.

        A decorated function is found under its name as this wrapper; else the function goes.
        """
        one: Any = self
        while isinstance(one, Optioned):
            if _reference(one) is not None:
                return one
            one = one.wrapped
        return self.func

    def key_of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the key of a call.

        Raises
        ------
        TypeError
            The callable ``key`` has not returned a string.
        """
        key = self.key if isinstance(self.key, str) else self.key(*args, **kwargs)  # type: ignore[misc]
        if not isinstance(key, str):
            raise TypeError(f"options: key must give a str, and gave {type(key).__name__}")
        return key


def _again(wrapped: Callable[..., Any], given: Mapping[str, Any]) -> Optioned:
    return Optioned(wrapped, given)


def _reference(one: Optioned) -> Any:
    """Return how a decorated function is pickled by its name; None: its name is not its own."""
    from . import script

    module = getattr(one, "__module__", None)
    name = getattr(one, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        return None
    if module in script.MODULE_NAMES:
        found = name.split(".")[0] in script.shared_names() and is_bound(script.module(), name, one)
        return (script.from_script, (name,)) if found else None
    home = sys.modules.get(module)
    if getattr(home, "__spec__", None) is None or not is_bound(home, name, one):
        return None
    return name


def is_bound(module: Any, name: str, value: Any) -> bool:
    """Is this what a module has under a qualified name?"""
    found: Any = module
    for part in name.split("."):
        found = found.__dict__.get(part) if hasattr(found, "__dict__") else None
    return found is value


def plain(func: Any) -> Any:
    """Return a function without its options; anything else as it is."""
    return func.func if type(func) is Optioned else func


def like(func: Any, other: Any) -> Any:
    """Return ``other`` with the options of ``func``, if it has any."""
    return Optioned(other, func.given) if type(func) is Optioned else other


@functools.lru_cache(maxsize=4_096)
def _travelling(
    time_limit_s: float, attempts: int, priority: int, resources: tuple[tuple[str, int], ...],
    repeatable: bool, keyed: bool,
) -> Options:  # fmt: skip
    """Return options as they travel: one object for equal ones, those with a key apart."""
    how = Options(
        time_limit_s=time_limit_s,
        attempts=attempts,
        priority=priority,
        resources=dict(resources),
        repeatable=repeatable,
    )
    return PLAIN if how == PLAIN and not keyed else how


# ---- what users call -----------------------------------------------------------------------------


@overload
def options(
    func: F, /, *, time_limit: float | None = ..., attempts: int | None = ...,
    priority: int | None = ..., resources: Mapping[str, int] | None = ..., key: Key | None = ...,
    repeatable: bool | None = ...,
) -> F: ...  # fmt: skip
@overload
def options(
    func: None = ..., /, *, time_limit: float | None = ..., attempts: int | None = ...,
    priority: int | None = ..., resources: Mapping[str, int] | None = ..., key: Key | None = ...,
    repeatable: bool | None = ...,
) -> Callable[[F], F]: ...  # fmt: skip
def options(
    func: Callable[..., Any] | None = None,
    /,
    *,
    time_limit: float | None = None,
    attempts: int | None = None,
    priority: int | None = None,
    resources: Mapping[str, int] | None = None,
    key: Key | None = None,
    repeatable: bool | None = None,
) -> Any:
    """Return ``func`` with options, for anything that takes a function; or a decorator.

    They say how its calls are run, not what they are: what is recorded of a call is reused when
    only its options were changed.  Called directly, the function is as it was.  Options of a
    function that has some already are added, those given last count.

    Parameters
    ----------
    func : callable, optional
        Left out: this is a decorator, ``@options(time_limit=60)``.
    time_limit : float, optional
        Seconds that one attempt of the call may take.  Then its worker's process is replaced, and
        the call fails with `errors.TaskTimeout`.
    attempts : int, optional
        How many workers may die of the call before it is given up (else ``--max-attempts``).
    priority : int, optional
        Those that wait are begun in this order, higher ones first (else 0).
    resources : mapping of str to int, optional
        What its worker must have: ``{"gpu": 1}`` (see ``scoop-ft worker --resources``).
    key : str or callable, optional
        Stands for the arguments when a resumed run looks for what is recorded: a string, or a
        callable that makes one of the call's arguments.  For arguments that never pickle alike.
    repeatable : bool, optional
        False: begun once, it is not begun again in this run.

    Raises
    ------
    TypeError, ValueError
        An option cannot be what it is; the message names it.

    Examples
    --------
    >>> from scoop_ft import futures
    >>> list(futures.map(options(abs, time_limit=60), [-1, 2]))
    [1, 2]
    """
    given = {
        name: value
        for name, value in (
            ("time_limit", time_limit), ("attempts", attempts), ("priority", priority),
            ("resources", resources), ("key", key), ("repeatable", repeatable),
        )
        if value is not None
    }  # fmt: skip
    check(given)
    if resources is not None:
        given["resources"] = dict(resources)  # what the user does to it later is not seen
    if func is None:
        return functools.partial(_wrap, given=given)
    return _wrap(func, given)


def _wrap(func: Callable[..., Any], given: Mapping[str, Any]) -> Optioned:
    if not callable(func):
        raise TypeError(f"options: a function is wanted, not {type(func).__name__}")
    return Optioned(func, given)
