"""``python -m scoop_chaos real``: real runs under real faults.

Parses what was typed, shows, and says by the exit code whether all held.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from ..faults import Fault
from ..runs import RunFailed
from .campaign import Campaign
from .plan import KINDS
from .report import as_json, show
from .stage import Stage
from .view import View


def _kinds(context: click.Context, parameter: click.Parameter, value: str) -> list[Fault]:
    """Read names of faults, as in `Fault`, separated by commas."""
    if not value:
        return list(KINDS)
    found = []
    for name in value.split(","):
        try:
            kind = Fault[name.strip().upper().replace("-", "_")]
        except KeyError:
            kind = None
        if kind not in KINDS:
            names = ", ".join(known.name.lower() for known in KINDS)
            raise click.BadParameter(f"no fault {name.strip()!r}; there are: {names}")
        found.append(kind)
    return found


@click.command(context_settings={"max_content_width": 100})
@click.option("--minutes", type=click.FloatRange(0.0), default=2.0, show_default=True,
              help="For how long things break; the last run then ends by itself.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Decides all that is drawn.")
@click.option("--trial", "number", type=click.IntRange(0), default=None, metavar="K",
              help="Only the k-th run of the seed.")  # fmt: skip
@click.option("--faults", "kinds", default="", callback=_kinds, metavar="NAME,...",
              help="Only these, such as worker_kill,net_cut.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Also write the figures to this file.")  # fmt: skip
@click.option("--folder", type=click.Path(file_okay=False, exists=True, path_type=Path),
              help="Where to run (default: among the temporary files).")  # fmt: skip
@click.argument("scripts", nargs=-1, metavar="[SCRIPT]...")
def command(
    minutes: float,
    seed: int,
    number: int | None,
    kinds: list[Fault],
    json_file: Path | None,
    folder: Path | None,
    scripts: tuple[str, ...],
) -> None:
    """Kill, stop, cut off and fill real runs at random moments, and check each answer.

    Without a SCRIPT it tortures programs of its own, which note each task they run, so that it is
    known what ran twice and why.  A SCRIPT (with its arguments, as one quoted word) is run once
    undisturbed; its output under faults must be the same.
    """
    console = Console(highlight=False)
    try:
        with Stage(folder) as stage, View(console, minutes) as view:
            for kind, why in stage.missing.items():
                if kind in kinds:
                    view.event(f"left out: {kind.value} ({why})")
            commands = [shlex.split(script) for script in scripts]
            campaign = view.campaign = Campaign(stage, seed, kinds, commands, view.event)
            try:
                _run(campaign, minutes * 60, number)
            except KeyboardInterrupt:
                view.event("interrupted")
    except RunFailed as error:
        raise click.ClickException(str(error)) from error
    totals = campaign.totals
    show(totals, console)
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(totals), indent=1) + "\n")
    sys.exit(1 if totals.bad else 0)


def _run(campaign: Campaign, seconds: float, number: int | None) -> None:
    campaign.prepare()
    if number is None:
        campaign.run(seconds)
    else:
        campaign.play(number, time.monotonic() + seconds)
