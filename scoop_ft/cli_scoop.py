"""Options of ``scoop-ft run`` that people know from ``python -m scoop``.

Parses, and says of what is pointless here what to use instead; what the options do is done by
`launch.surround`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
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


_OPTIONS: Final = (
    click.option("--scoop", is_flag=True,
                 help="'import scoop' in the script means scoop-ft, with SCOOP's names."),
    click.option("--nice", type=click.IntRange(-20, 19), metavar="N",
                 help="Niceness of the script and the workers."),
    click.option("--python-interpreter", metavar="PATH",
                 help="The Python for the script and the workers (default: this one)."),
    click.option("--pythonpath", metavar="PATH",
                 help="Put before PYTHONPATH for the script and the workers."),
    click.option("--prolog", metavar="FILE|COMMAND",
                 help="A shell script (sourced) or command, run before the script and the "
                 "workers are started, which get its environment."),
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

    @functools.wraps(command)
    def with_asked(*args: Any, **kwargs: Any) -> int:
        from .launch.surround import Asked

        asked = Asked(**{name: kwargs.pop(name) for name in _NAMES})
        if asked.debug:
            kwargs["verbose"] = True
        return command(*args, asked=asked, **kwargs)

    for option in reversed(_OPTIONS):
        with_asked = option(with_asked)
    return with_asked
