"""Options of ``scoop-ft run``, some also of ``resume``, that people know from ``python -m scoop``.

Parses, and says of what is pointless here what to use instead; what the options do is done by
`launch.surround`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

_NAMES: Final = (
    "scoop", "nice", "python_interpreter", "pythonpath", "prolog", "profile", "debug"
)  # fmt: skip


def _pointless(why: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def say(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            click.echo(f"scoop-ft: {parameter.opts[0]} is pointless here: {why}", err=True)

    return say


_SURROUNDINGS: Final = (
    click.option("--nice", type=click.IntRange(-20, 19), metavar="N",
                 help="Niceness of the script and the workers (default: 0; resume: as before)."),
    click.option("--python-interpreter", metavar="PATH",
                 help="The Python for the script and the workers (default: this one; resume: as "
                 "before; '': this one)."),
    click.option("--pythonpath", metavar="PATH",
                 help="Put before PYTHONPATH for the script and the workers (resume: as before)."),
    click.option("--prolog", metavar="FILE|COMMAND",
                 help="A shell script (sourced) or command, run before the script and the "
                 "workers are started, which get its environment (resume: as before)."),
)  # fmt: skip

_OPTIONS: Final = (
    click.option("--scoop", is_flag=True,
                 help="'import scoop' in the script means scoop-ft, with SCOOP's names."),
    *_SURROUNDINGS,
    click.option("--profile", is_flag=True,
                 help="Profile the script and the workers here with cProfile, into "
                 "'profile' in the run directory."),
    click.option("--debug", is_flag=True, help="Say more; scoop.DEBUG is true."),
    click.option("--backend", type=click.Choice(["ZMQ", "TCP"]), expose_value=False,
                 hidden=True, callback=_pointless(
                     "processes always speak ZeroMQ; --listen tcp://HOST:PORT lets other "
                     "machines in, encrypted")),
    click.option("--rsh", is_flag=True, expose_value=False, hidden=True, callback=_pointless(
                     "other machines are reached by ssh")),
    click.option("-b", type=int, metavar="N", expose_value=False, hidden=True,
                 callback=_pointless(
                     "a run has one broker, which is started again if it dies")),
)  # fmt: skip


def scoop_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options to a command, which gets what they say as one argument, ``asked``."""
    return _with(command, _OPTIONS)


def surrounding_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add those that a run which is resumed may have otherwise."""
    return _with(command, _SURROUNDINGS)


def _with(command: Callable[..., int], options: Sequence[Any]) -> Callable[..., int]:
    @functools.wraps(command)
    def with_asked(*args: Any, **kwargs: Any) -> int:
        from .launch.surround import Asked

        asked = Asked(**{name: kwargs.pop(name) for name in _NAMES if name in kwargs})
        if asked.debug:
            kwargs["verbose"] = True
        return command(*args, asked=asked, **kwargs)

    for option in reversed(options):
        with_asked = option(with_asked)
    return with_asked
