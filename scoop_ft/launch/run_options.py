"""What `run` and `resume` can be told of how a run is, in the order of their help.

Only parses; `launch.launcher` knows what each of them means.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from .duration import Duration
from .hosts.options import machine_options
from .worker_options import Command, recycling, resources, size, workers


def max_attempts(default: str) -> Callable[[Command], Command]:
    """Return the option that says how often a task is tried; ``default``: as its help has it."""
    return click.option(
        "--max-attempts", type=click.IntRange(1, 1000), metavar="N",
        help=f"How often a task is tried that kills its workers (default: {default}).",
    )  # fmt: skip


_SEED = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), metavar="N",
    help="Seed of the run's random numbers (default: drawn, and recorded; resume: as before). "
         "When given, the global generators are seeded for each task, too.",
)  # fmt: skip
_LISTEN = click.option(
    "--listen", metavar="tcp://HOST:PORT", help="Also serve workers of other machines (encrypted).",
)  # fmt: skip
_UNSAFE = click.option(
    "--journal-unsafe-fs", "unsafe_filesystem", is_flag=True,
    help="Keep the journal on a network file system although it may be damaged there.",
)  # fmt: skip
_JOURNAL_LIMIT = click.option(
    "--journal-limit", metavar="SIZE", callback=size,
    help="Warn when the journal is larger: 500M, 20G; 0: never (default: 20G; resume: as before).",
)  # fmt: skip
_DURABILITY = click.option(
    "--durability", type=click.Choice(["synced", "none"]),
    help="Whether the journal survives a crash of the machine, or only that of any process "
    "(default: synced; resume: as before).",
)  # fmt: skip
_STOP_AFTER = click.option(
    "--stop-after", type=Duration(), metavar="TIME",
    help="Stop in good order after 3h50m (or 90s, 1d, HH:MM:SS) with exit code 75: to be resumed.",
)  # fmt: skip
_ON_DIVERGENCE = click.option(
    "--on-divergence", type=click.Choice(["recompute", "error"]),
    help="When a script that is run again asks for other calls than are recorded "
    "(default: recompute; resume: as before).",
)  # fmt: skip

_ALL = (
    workers("the cores this process may use, or what the machines have; resume: as before"),
    machine_options,
    _SEED,
    max_attempts("3; resume: as before"),
    _LISTEN,
    _UNSAFE,
    _JOURNAL_LIMIT,
    _DURABILITY,
    _STOP_AFTER,
    resources,
    _ON_DIVERGENCE,
    recycling("never; resume: as before"),
)


def run_options(command: Command) -> Command:
    """Give a command all of these options."""
    for option in reversed(_ALL):
        command = option(command)
    return command
