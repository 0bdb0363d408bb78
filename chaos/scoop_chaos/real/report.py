"""What a campaign came to, as tables for people and as JSON for programs.  Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..faults import Fault
from .campaign import Totals
from .recovery import percentile

#: Kind of recovery -> what its 99th percentile shall not exceed, in seconds.
AIMS: Final = {
    Fault.WORKER_KILL.value: 0.5,
    Fault.BROKER_KILL.value: 2.0,
    Fault.ROOT_KILL.value: 2.0,
}


def as_json(totals: Totals) -> dict[str, Any]:
    """Return all figures with the names that ``--json`` promises."""
    return {
        "seed": totals.seed,
        "seconds": round(totals.seconds, 1),
        "trials": totals.trials,
        "programs": dict(sorted(totals.programs.items())),
        "resumes": totals.resumes,
        "faults": {kind.value: number for kind, number in totals.faults.most_common()},
        "faults_total": totals.faults.total(),
        "left_out": {kind.value: why for kind, why in totals.missing.items()},
        "tasks": totals.tasks,
        "executions": totals.executions,
        "again": dict(totals.again.most_common()),
        "recovery_s": {kind: figures(seconds) for kind, seconds in _kinds(totals.times.clean)},
        "recovery_disturbed_s": {
            kind: figures(seconds) for kind, seconds in _kinds(totals.times.disturbed)
        },
        "recovery_not_seen": dict(sorted(totals.times.unended.items())),
        "violations": [
            {
                "invariant": violation.invariant,
                "text": violation.text,
                "trial": outcome.plan.number,
                "program": outcome.plan.title,
                "folder": str(outcome.folder),
            }
            for outcome in totals.bad
            for violation in outcome.violations
        ],
    }


def _kinds(times: dict[str, list[float]]) -> list[tuple[str, list[float]]]:
    return sorted((kind, seconds) for kind, seconds in times.items() if seconds)


def figures(seconds: Sequence[float]) -> dict[str, float]:
    """Return the figures of some times."""
    return {
        "n": len(seconds),
        "p50": round(percentile(seconds, 50), 3),
        "p99": round(percentile(seconds, 99), 3),
        "max": round(max(seconds), 3),
    }


def show(totals: Totals, console: Console) -> None:
    """Print it all."""
    console.print()
    console.print(f"Real chaos, seed {totals.seed}: {totals.seconds / 60:.1f} minutes, "
                  f"{totals.trials} runs, {totals.faults.total()} faults, {totals.resumes} resumes"
                  )  # fmt: skip
    console.print(faults_table(totals))
    if totals.tasks:
        console.print(tasks_table(totals))
        console.print(times_table(totals))
    for outcome in totals.bad:
        console.print(f"\ntrial {outcome.plan.number} ({outcome.plan.title})", style="bold red")
        for violation in outcome.violations:
            console.print(Text(f"  {violation}"))
        console.print(Text(f"  look at {outcome.folder} (story.json, ledger, stderr.*, run/logs)"))
        console.print(Text(f"  again: --seed {totals.seed} --trial {outcome.plan.number}"))
    console.print(verdict(totals))


def verdict(totals: Totals) -> Text:
    """Say in one line whether all held."""
    if totals.bad:
        return Text(f"\n{len(totals.bad)} of {totals.trials} runs broke a promise", "bold red")
    text = f"\nall {totals.trials} answers are those of undisturbed runs"
    if totals.tasks:
        text += "; nothing was lost, no recorded result was computed twice"
    return Text(text, "bold green")


def faults_table(totals: Totals) -> RenderableType:
    """Return the faults by kind, and those left out with why."""
    table = Table("fault", box=None, pad_edge=False)
    table.add_column("times", justify="right")
    for kind, number in totals.faults.most_common():
        table.add_row(kind.value, str(number))
    left_out = [Text(f"left out: {k.value} ({why})", "yellow") for k, why in totals.missing.items()]
    return Group(table, *left_out)


def tasks_table(totals: Totals) -> RenderableType:
    """Return how often tasks ran, and why more than once."""
    table = Table("tasks", box=None, pad_edge=False, title_justify="left")
    table.add_column("", justify="right")
    table.add_row("calls of programs", f"{totals.tasks:,}")
    table.add_row("executions", f"{totals.executions:,}")
    for reason, number in totals.again.most_common():
        table.add_row(f"  again: {reason}", f"{number:,}")
    return table


def times_table(totals: Totals) -> RenderableType:
    """Return the recovery times."""
    table = Table("recovery (s)", box=None, pad_edge=False)
    for title in ("n", "p50", "p99", "max", "aim", "disturbed n", "p50", "max"):
        table.add_column(title, justify="right")
    times = totals.times
    for kind in sorted({*times.clean, *times.disturbed}):
        row = [kind]
        if times.clean.get(kind):
            found = figures(times.clean[kind])
            row += [str(found["n"]), *(f"{found[key]:.3f}" for key in ("p50", "p99", "max"))]
        else:
            row += ["0", "", "", ""]
        row.append(f"{AIMS[kind]:.1f}" if kind in AIMS else "")
        if times.disturbed.get(kind):
            other = figures(times.disturbed[kind])
            row += [str(other["n"]), f"{other['p50']:.3f}", f"{other['max']:.3f}"]
        table.add_row(*row)
    return table
