"""``python -m scoop_chaos matrix``: what is measured, what is left out, where it goes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from .judge import Outcome
from .measure import Measurement, split
from .stage import Size
from .systems import SYSTEMS, System
from .table import MatrixTable, show

NAMES = [system.name for system in SYSTEMS]


@click.command()
@click.option("--peers", is_flag=True, help="Also what people use instead, as far as installed.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Only this one (repeatable).")
@click.option(
    "--python", default=sys.executable, metavar="PATH", help="The Python that has the peers."
)
@click.option("--json", "json_to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write all figures into a file.")  # fmt: skip
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--tasks", default=Size().tasks, show_default=True, help="How many tasks.")
@click.option("--after", default=Size().after, show_default=True, help="The death comes after.")
@click.option("--limit", type=float, metavar="S", help="Seconds after which one hangs.")
def command(
    peers: bool,
    only: tuple[str, ...],
    python: str,
    json_to: Path | None,
    markdown: bool,
    tasks: int,
    after: int,
    limit: float | None,
) -> None:
    """Let each part die once, under each system, and set side by side what it costs.

    The exit code is 1 when scoop-ft gave anything but the right answer.
    """
    if not 0 < after < tasks:
        raise click.UsageError("--after must be more than 0 and less than --tasks")
    told = Console(stderr=True)
    systems, missing = split(_wanted(peers, only), python)
    for system in missing:
        told.print(f"{system.title} is left out: {python} has no {system.package}", style="yellow")
    size = Size(tasks=tasks, after=after)
    measured = Measurement(systems, size, python, limit, lambda line: told.print(line, style="dim"))
    measured.run()
    if json_to is not None:
        json_to.write_text(json.dumps(measured.report(), indent=1) + "\n")
    if markdown:
        click.echo(MatrixTable(measured).markdown())
    else:
        show(measured, Console())
    sys.exit(0 if _ours_is_right(measured) else 1)


def _wanted(peers: bool, only: tuple[str, ...]) -> list[System]:
    if only:
        return [system for system in SYSTEMS if system.name in only]
    return [system for system in SYSTEMS if system.ours or peers]


def _ours_is_right(measured: Measurement) -> bool:
    ours = [system.name for system in measured.systems if system.ours]
    return all(
        cells[name].outcome is Outcome.RIGHT for cells in measured.rows.values() for name in ours
    )
