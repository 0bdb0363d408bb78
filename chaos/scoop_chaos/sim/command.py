"""``python -m scoop_chaos sim``: run seeds, or one again with its trace.

Shows; what a seed means and what must hold is decided elsewhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from .author import keys
from .campaign import Report, reports
from .minimise import minimise
from .plan import Plan, draw
from .workload import Program
from .world import Outcome, run

SHOWN = 3  # failing seeds made small and shown; the others are named
LINES = 100  # of a trace

_console = Console(highlight=False, soft_wrap=True)


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int]:
    try:
        return [int(part) for part in (value or "").split(",") if part]
    except ValueError as error:
        raise click.BadParameter("numbers with commas between them") from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", default=1000, show_default=True, help="How many seeds to run.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("-j", "--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--replay", type=int, metavar="SEED", help="Run one seed and print its trace.")
@click.option("--faults", callback=_numbers, help="With --replay: only these of its faults.")
@click.option("--without", default="", help="With --replay: leave these calls out (k3,k5).")
@click.option("--lines", default=0, help="With --replay: only so many last lines of the trace.")
def command(
    seeds: int, first: int, jobs: int, replay: int | None, faults: list[int], without: str,
    lines: int,
) -> None:  # fmt: skip
    """Run the state machines under a virtual clock, one integer seed a fate.

    A seed in which an invariant does not hold is made small and shown, with the command that runs
    it again; then the exit code is 1.
    """
    if replay is not None:
        context = click.get_current_context()
        given = context.get_parameter_source("faults") is click.core.ParameterSource.COMMANDLINE
        left_out = [key for key in without.split(",") if key]
        plan = draw(replay, only=faults if given else None, left_out=left_out)
        raise SystemExit(_replay(plan, lines))
    report = _campaign(first, seeds, jobs)
    for outcome in report.broken[:SHOWN]:
        _show_failure(outcome)
    raise SystemExit(1 if report.broken else 0)


# ---- many ----------------------------------------------------------------------------------


def _campaign(first: int, seeds: int, jobs: int) -> Report:
    total, began = Report(), time.monotonic()
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    still = not _console.is_terminal
    with Progress(*columns, console=_console, transient=True, disable=still) as progress:
        bar = progress.add_task("starting", total=seeds)
        for new in reports(first, seeds, jobs):
            total.add(new)
            for outcome in new.broken:  # at once: the rest may take hours
                _console.print(f"seed {outcome.seed}: {outcome.violations[0]}")
            rate = total.seeds / (time.monotonic() - began)
            text = f"{total.seeds:,} of {seeds:,} seeds, {rate:,.0f}/s"
            if total.broken:
                text += f", {len(total.broken)} broken, the first is {total.broken[0].seed}"
            progress.update(bar, completed=total.seeds, description=text)
    total.broken.sort(key=lambda outcome: outcome.seed)
    _conclude(total, first, time.monotonic() - began)
    return total


def _conclude(total: Report, first: int, seconds: float) -> None:
    each = total.seeds / max(total.cpu_seconds, 1e-9)
    click.echo(
        f"seeds {first} to {first + total.seeds - 1}: {len(total.broken)} violate an invariant. "
        f"{total.events:,} events, {sum(total.faults.values()):,} faults in {seconds:,.0f} s; "
        f"{each:,.0f} seeds a second and core"
    )
    named = ", ".join(f"{name} {count:,}" for name, count in total.faults.most_common())
    click.echo(f"faults: {named or 'none'}")


# ---- one -----------------------------------------------------------------------------------


def _show_failure(outcome: Outcome) -> None:
    click.echo(f"\nseed {outcome.seed}: {outcome.violations[0]}")
    plan = minimise(outcome.seed)
    click.echo(f"made small; again with: {replay_command(outcome.seed, plan)}")
    _replay(plan, LINES)


def replay_command(seed: int, plan: Plan) -> str:
    """Return what to type to run a plan made from a seed, and see its trace.

    Examples
    --------
    >>> from scoop_chaos.sim.plan import draw
    >>> replay_command(5, draw(5, only=[0]))
    'python -m scoop_chaos sim --replay 5 --faults 0'
    """
    whole = draw(seed)
    words = ["python -m scoop_chaos sim --replay", str(seed)]
    kept = [strike.number for strike in plan.strikes]
    if len(kept) != len(whole.strikes):
        words.append("--faults " + (",".join(map(str, kept)) or "''"))
    here = keys(plan.program)
    missing = [key for key in keys(whole.program) if key not in here]
    if missing:
        words.append("--without " + ",".join(missing))
    return " ".join(words)


def _replay(plan: Plan, lines: int) -> int:
    outcome = run(plan, tracing=True)
    click.echo(_described(plan))
    shown: Sequence[str] = outcome.trace[-lines:] if lines else outcome.trace
    if len(shown) < len(outcome.trace):
        click.echo(f"… {len(outcome.trace) - len(shown)} lines before these")
    for line in shown:
        click.echo(line)
    for violation in outcome.violations:
        click.echo(f"violated: {violation}")
    if not outcome.violations:
        click.echo(f"nothing is violated, {outcome.events} events in {outcome.seconds:.3f} s")
    return 1 if outcome.violations else 0


def _described(plan: Plan) -> str:
    parts = [
        f"seed {plan.seed}: {plan.workers} workers here, {plan.remote_workers} on another machine, "
        f"messages take {plan.latency_s * 1000:g} ms, syncs {plan.sync_s * 1000:g} ms",
        *(f"fault {strike}" for strike in plan.strikes),
        "program:",
        *_tree(plan.program, 1),
    ]
    return "\n".join(parts)


def _tree(program: Program, depth: int) -> list[str]:
    lines = []
    for key, millis, how, children in program:
        lines.append(f"{'  ' * depth}{key} {how} {millis:g} ms")
        lines += _tree(children, depth + 1)
    return lines
