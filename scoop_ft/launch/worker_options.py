"""What the command line says of a host's workers: `run`, `resume` and `worker` share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import RunError
from ..resources import typed

Command = TypeVar("Command", bound=Callable[..., Any])


class _Workers(click.IntRange):
    name = "workers"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Read a number of workers."""
        try:
            return super().convert(value, parameter, context)
        except click.BadParameter:
            self.fail(f"{value!r} is not a number of workers (1 to {self.max:,}).")


def workers(default: str) -> Callable[[Command], Command]:
    """Return the option that says how many workers; ``default``: what its help says of that."""
    return click.option(
        "-n", "--workers", type=_Workers(1, 100_000), metavar="N",
        help=f"Number of workers (default: {default}).",
    )  # fmt: skip


def recycling(default: str) -> Callable[[Command], Command]:
    """Return the options that say when workers are replaced; ``default``: as their help has it."""
    tasks = click.option(
        "--max-tasks-per-worker", type=click.IntRange(0, 2**62), metavar="N",
        help=f"Replace a worker's process once it has done N tasks; 0: never (default: {default}).",
    )  # fmt: skip
    memory = click.option(
        "--max-memory-per-worker", metavar="SIZE",
        callback=size,
        help="Replace a worker's process, between two tasks, when it has more memory: 500M, 2G; "
        f"0: never (default: {default}).",
    )  # fmt: skip
    return lambda command: tasks(memory(command))


resources = click.option("--resources", metavar="NAME=N,…", callback=typed,
                         help="What each worker has for tasks that ask for it: gpu=1")  # fmt: skip


def size(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Return the bytes that ``500M`` or ``20G`` are, or None."""
    from .growth import parse_size

    if text is None:
        return None
    try:
        return parse_size(text)
    except RunError as error:
        raise RunError(f"{parameter.opts[0]}: {error}") from None
