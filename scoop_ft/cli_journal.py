"""``scoop-ft journal``: what looks into the journal of a run, with nothing running.

Parses and prints; the work is done by `scoop_ft.inspect` and the journal itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import click

from .errors import RunError


@click.group(short_help="Look into a journal: list, show, export, compact, verify.")
def journal() -> None:
    """Look into the journal of the last run of this folder, or of the one named."""


@journal.command()
@click.argument("run_dir", required=False, metavar="[RUN]")
def verify(run_dir: str | None) -> int:
    """Check every record of a journal."""
    import scoop_journal

    from .rundir import named

    try:
        report = scoop_journal.verify(named(run_dir).journal)
    except scoop_journal.JournalError as error:  # it could not be looked at
        raise RunError(str(error)) from error
    if not report.ok:
        raise RunError(report.problem)
    note = " (the run is at work: the pages of the file were not checked)" if report.live else ""
    click.echo(
        f"the journal of run {report.run} is sound: {report.records:,} records, "
        f"{report.blobs:,} blobs, {report.size_bytes / 1e6:,.1f} MB{note}"
    )
    return 0


@journal.command("ls", short_help="List the tasks in a journal.")
@click.option("--failed", is_flag=True, help="Only what failed, each with its traceback.")
@click.option("--function", metavar="NAME", help="Only calls of this function.")
@click.option("--json", "as_json", is_flag=True, help="Each task as a line of JSON.")
@click.argument("run_dir", required=False, metavar="[RUN]")
def journal_ls(run_dir: str | None, **options: Any) -> int:
    """List the tasks in a journal; '3.2' is the second one that the third has submitted."""
    from .inspect import listing
    from .rundir import named

    return _print(listing.lines(named(run_dir), **options))


@journal.command("show")
@click.argument("words", nargs=-1, required=True, metavar="[RUN] TASK")
def journal_show(words: tuple[str, ...]) -> int:
    """Show one task: its call, its result or traceback, its children."""
    from .inspect import showing
    from .rundir import named

    *run_dir, task = words
    if len(run_dir) > 1:
        raise click.UsageError("give a run and a task, or only a task")
    return _print(showing.lines(named(*run_dir), task))


@journal.command("export")
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE",
              help="Where to (default: standard output).")  # fmt: skip
@click.option("--format", "how", type=click.Choice(["jsonl", "pickle"]), default="jsonl",
              help="Lines of JSON, or a list for pickle.load (default: jsonl).")  # fmt: skip
@click.option("--all", "everything", is_flag=True,
              help="Also results of nested tasks that are there still.")  # fmt: skip
@click.argument("run_dir", required=False, metavar="[RUN]")
def journal_export(run_dir: str | None, output: str | None, how: str, everything: bool) -> int:
    """Take the results so far out of a run."""
    from .inspect.exporting import export
    from .rundir import named

    try:
        count = export(named(run_dir), output, how=how, everything=everything)
    except BrokenPipeError:
        return _nobody_reads()
    if output is not None:
        click.echo(f"{count:,} results in {output}")
    return 0


def _print(lines: Iterable[str]) -> int:
    """Print lines as they come; whoever reads them may go at any time."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_reads()
    return 0


def _nobody_reads() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is buffered still goes nowhere
    return 0


@journal.command()
@click.argument("run_dir", required=False, metavar="[RUN]")
def compact(run_dir: str | None) -> int:
    """Give the disk back what a journal does not use."""
    import scoop_journal

    from .launch.growth import compacted
    from .rundir import named

    directory = named(run_dir)
    unsafe = directory.info().unsafe_filesystem
    try:
        done = scoop_journal.compact(directory.journal, unsafe_filesystem=unsafe)
    except scoop_journal.JournalError as error:
        raise RunError(str(error)) from error
    click.echo(compacted(done.before_bytes, done.after_bytes))
    return 0
