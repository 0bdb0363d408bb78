"""What a rehearsal says: each round in a line, then what was found, then the verdict."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from scoop_ft.inspect.wording import join, number

from .finding import Finding, Weight
from .rounds import Round

EXIT_CODES = {Weight.FINE: 0, Weight.BUT: 0, Weight.UNSAFE: 1}
COLOURS = {Weight.FINE: "green", Weight.BUT: "yellow", Weight.UNSAFE: "red"}
TITLE = 13


class Report:
    """Writes to standard output.

    Parameters
    ----------
    quiet, verbose : bool
        Only what was found; also what the rounds wrote to standard error.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._width = min(shutil.get_terminal_size((100, 24)).columns, 100)

    def begin(self, script: str, where: str, rounds: int, workers: int, run: str) -> None:
        """Say what will happen."""
        self._tell(
            f"{script} runs {number(rounds + 2, 'time')}, in {where}, with "
            f"{number(workers, 'worker')}: undisturbed; once more on what that has recorded; and "
            f"{_times(rounds)} while a worker, the broker, the root (the process of the script "
            "itself) and all of them at once are killed, in an order drawn from the seed. What "
            "it does besides computing (write files, send mails) it does each time, and again "
            "after each kill."
        )
        self._say(f"The same kills again: {run}")
        self._say("")

    def running(self, name: str) -> None:
        """Say on a terminal what goes on; the line about its end takes the place of this one."""
        if not self._quiet and sys.stdout.isatty():
            click.echo(f"{name:<{TITLE}}runs …", nl=False)

    def undisturbed(self, first: Round) -> None:
        """Say how the undisturbed round went."""
        own = len(first.table.rows)
        nested = " (nested ones not counted)" if first.tasks > own else ""
        self._line(first.name, f"{number(own, 'task')}{nested} done in {first.took_s:.1f} s")

    def nothing(self) -> int:
        """Say that the script has no tasks; return the exit code."""
        self._clear()
        click.echo("nothing to resume: the script submits no task")
        return 0

    def failed(self, first: Round) -> None:
        """Show what the script had to say when nobody disturbed it."""
        self._clear()
        click.echo(first.output, nl=False)
        click.echo(first.errors, nl=False, err=True)

    def replay(self, one: Round) -> None:
        """Say how the replay went."""
        if one.departures:
            text = f"{number(len(one.departures), 'call')} not found among those recorded"
        else:
            text = "all its calls found among those recorded"
        self._line(one.name, f"{text}{_ending(one)}")

    def disturbed(self, one: Round) -> None:
        """Say how a round with kills went."""
        kills = [f"at {strike.share:.0%} {strike.fault.value}" for strike in one.struck]
        kills += [f"at {strike.share:.0%} too late ({strike.fault.value})" for strike in one.late]
        self._line(one.name, f"{'; '.join(kills)}; {one.took_s:.1f} s{_ending(one)}")
        if self._verbose and one.errors:
            self._say(textwrap.indent(one.errors.rstrip(), " " * TITLE))

    def found(self, findings: Sequence[Finding]) -> int:
        """Say what was found, and the verdict; return the exit code."""
        if not self._quiet:
            self._say("")
        for finding in findings:
            self._finding(finding)
        weight = max((finding.weight for finding in findings), default=Weight.FINE)
        briefs = [finding.brief for finding in findings if finding.weight is weight]
        verdict = {
            Weight.FINE: "safe to resume",
            Weight.BUT: f"safe to resume, but {join(briefs)}",
            Weight.UNSAFE: f"not safe to resume: {join(briefs)}",
        }[weight]
        click.echo(click.style(self._wrapped(verdict), fg=COLOURS[weight], bold=True))
        return EXIT_CODES[weight]

    def kept(self, folder: str) -> None:
        """Say where everything is."""
        click.echo(f"kept: {folder}")

    def _finding(self, finding: Finding) -> None:
        click.echo(click.style(self._wrapped(finding.text), bold=finding.weight > Weight.FINE))
        for line in finding.details:
            click.echo(f"    {line}")
        if finding.advice:
            click.echo(self._wrapped(finding.advice))
        click.echo()

    def _line(self, title: str, text: str) -> None:
        rest = " " * TITLE
        self._clear()
        self._say(
            textwrap.fill(text, self._width, initial_indent=f"{title:<{TITLE}}",
                          subsequent_indent=rest)
        )  # fmt: skip

    def _clear(self) -> None:
        if not self._quiet and sys.stdout.isatty():
            click.echo("\r\x1b[K", nl=False)

    def _tell(self, text: str) -> None:
        self._say(self._wrapped(text))

    def _wrapped(self, text: str) -> str:
        return textwrap.fill(text, self._width, break_long_words=False, break_on_hyphens=False)

    def _say(self, text: str) -> None:
        if not self._quiet:
            click.echo(text)


def _ending(one: Round) -> str:
    if one.code is None:
        return "; it did not end"
    return f"; exit code {one.code}" if one.code else ""


def _times(count: int) -> str:
    return "once" if count == 1 else number(count, "time")
