"""The options of ``run`` and ``resume`` that name other machines, as SCOOP has them.

Parses only; what they make of a run is in ``settle``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Final

import click

_LISTS: Final = ("--hosts", "--host")
_NAMES: Final = (
    "hosts", "hostfile", "job_hosts", "path", "external_hostname", "tunnel", "ssh_executable",
)  # fmt: skip

_OPTIONS: Final = (
    click.option("--hosts", "--host", "hosts", multiple=True, metavar="HOST...",
                 help="Work on these machines, through ssh; 'localhost' is this one."),
    click.option("--hostfile", type=click.Path(dir_okay=False), metavar="FILE",
                 help="Work on the machines of a file with lines 'name' or 'name count'."),
    click.option("--job-hosts", is_flag=True,
                 help="Work on the machines that Slurm, PBS or Grid Engine gave to this job."),
    click.option("--path", "-p", metavar="DIR",
                 help="Folder to work in there (default: the one here, where it exists)."),
    click.option("--external-hostname", metavar="NAME",
                 help="How other machines reach this one (default: where their ssh comes from)."),
    click.option("--tunnel/--no-tunnel", default=None,
                 help="Let other machines reach this one through ssh: no port need be open."),
    click.option("--ssh-executable", metavar="COMMAND",
                 help="The ssh to use, maybe with options: 'ssh -F my_config' (default: ssh)."),
)  # fmt: skip


def machine_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options to a command, which gets what they say as one argument, ``machines``."""

    @functools.wraps(command)
    def with_machines(*args: Any, **kwargs: Any) -> int:
        from .settle import Said

        said = Said(**{name: kwargs.pop(name) for name in _NAMES})
        return command(*args, machines=said, **kwargs)

    for option in reversed(_OPTIONS):
        with_machines = option(with_machines)
    return with_machines


class TakesHosts(click.Command):
    """A command whose ``--hosts`` takes several words: up to an option, or the script."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each host an option of its own, then parse as usual."""
        return super().parse_args(ctx, self._spread(args, ctx.allow_interspersed_args))

    def _spread(self, args: list[str], interspersed: bool) -> list[str]:
        takes_value = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag and not option.count
            for name in option.opts
        }
        result: list[str] = []
        place = 0
        while place < len(args) and args[place] != "--":
            word = args[place]
            if not word.startswith("-") and not interspersed:
                break  # the script; what follows is its own
            place += 1
            if word in _LISTS:
                begin = place
                while place < len(args) and not _ends_hosts(args[place], first=place == begin):
                    result += ["--hosts", args[place]]
                    place += 1
                if place == begin:
                    raise click.BadOptionUsage(word, f"{word} wants names of machines", ctx=None)
            else:
                result.append(word)
                if word in takes_value and place < len(args):
                    result.append(args[place])
                    place += 1
        return result + args[place:]


def _ends_hosts(word: str, *, first: bool) -> bool:
    """Is this word of ``--hosts a b c script.py`` no machine any more, but a script or a run?"""
    if word.startswith("-") or word.endswith(".py"):
        return True
    from ...rundir import PARENT

    return not first and (os.path.exists(word) or os.path.exists(os.path.join(PARENT, word)))
