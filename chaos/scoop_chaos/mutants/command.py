"""``python -m scoop_chaos mutants``: every mutant, and the seed that catches it.

Shows; what a mutant is and what a violation is are decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .catalogue import MISSED, MUTANTS
from .hunt import Hunt, hunt_all
from .mutant import Mutant

TEXT = 60  # characters of what was seen

_console = Console(highlight=False)


def _chosen(
    context: click.Context, parameter: click.Parameter, value: Sequence[str]
) -> list[Mutant]:
    known = (*MUTANTS, *MISSED)
    unknown = set(value) - {mutant.name for mutant in known}
    if unknown:
        raise click.BadParameter(f"no mutant is called {', '.join(sorted(unknown))}")
    return [mutant for mutant in known if mutant.name in value]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seeds", default=1000, show_default=True, help="Seeds to run against each, at most."
)
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("--only", "mutants", multiple=True, callback=_chosen, metavar="NAME",
              help="This mutant only; may be repeated.")  # fmt: skip
@click.option("-j", "--jobs", default=1, show_default=True, help="Processes.")
@click.option("--missed", is_flag=True, help="Those that no seed has caught yet.")
@click.option("--markdown", is_flag=True, help="Print the table for a document.")
def command(
    seeds: int, first: int, mutants: list[Mutant], jobs: int, missed: bool, markdown: bool
) -> None:  # fmt: skip
    """Show that the simulator catches broken variants of the logic.

    The product as it is is run first: it must not be caught.  The exit code is 1 when it is, or
    when a mutant survives.
    """
    began = time.monotonic()
    found = _hunted(mutants or list(MISSED if missed else MUTANTS), first, seeds, jobs)
    table = _markdown if markdown else _rich
    table(found[1:])
    whole, *hunts = found
    survivors = [hunt.mutant.name for hunt in hunts if hunt.mutant and hunt.violation is None]
    click.echo(
        f"{len(hunts)} mutants, {len(hunts) - len(survivors)} caught within {seeds} seeds from "
        f"{first} on, in {time.monotonic() - began:,.0f} s"
    )
    if survivors:
        click.echo(f"survived: {', '.join(survivors)}")
    if whole.violation is not None:
        click.echo(f"the product as it is, seed {first + whole.seeds - 1}: {whole.violation}")
    raise SystemExit(1 if survivors or whole.violation else 0)


def _hunted(mutants: list[Mutant], first: int, seeds: int, jobs: int) -> list[Hunt]:
    """Hunt the product as it is, then the mutants."""
    found: list[Hunt] = []
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("the product as it is")
        for hunt in hunt_all([None, *mutants], first, seeds, jobs):
            found.append(hunt)
            alive = sum(1 for each in found[1:] if each.violation is None)
            text = f"{len(found) - 1} of {len(mutants)} mutants hunted, {alive} survive"
            progress.update(bar, description=text)
    return found


# ---- tables --------------------------------------------------------------------------------


def _row(hunt: Hunt) -> tuple[str, str, str, str, str]:
    assert hunt.mutant is not None
    seen = hunt.violation
    return (
        hunt.mutant.name,
        hunt.mutant.what,
        hunt.mutant.place,
        str(hunt.seeds) if seen is not None else "survives",
        str(seen.invariant) if seen is not None else "",
    )


def _rich(hunts: list[Hunt]) -> None:
    table = Table("mutant", "where", "seeds", "invariant", "what was seen")
    for hunt in hunts:
        name, _, place, seeds, invariant = _row(hunt)
        text = hunt.violation.text if hunt.violation is not None else ""
        shown = text if len(text) <= TEXT else text[:TEXT] + "…"
        table.add_row(name, place, seeds, invariant, shown)
    _console.print(table)


def _markdown(hunts: list[Hunt]) -> None:
    click.echo("| mutant | what is broken | where | seeds | invariant |")
    click.echo("|---|---|---|---:|---:|")
    for hunt in hunts:
        name, what, place, seeds, invariant = _row(hunt)
        click.echo(f"| {name} | {what} | `{place}` | {seeds} | {invariant} |")
