"""What a user types: ``scoop-ft`` and ``python -m scoop_ft``.

Parses and prints; each command's work is done by the module it imports when it is called.  An
error is one line that says what to do, and exit code 2; ``-v`` adds where it comes from.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from .cli_journal import journal
from .cli_scoop import scoop_options, surrounding_options
from .cli_serve import serve
from .errors import RunError, ScoopError
from .launch.duration import Duration
from .launch.hosts.options import TakesHosts
from .launch.run_options import max_attempts, run_options
from .launch.worker_options import recycling, resources, workers


@dataclass
class _Said:
    """What was said that concerns more than one command."""

    verbose: bool = False
    script_args: list[str] | None = None  # after the ``--`` of resume


_COMMANDS = (
    "run", "resume", "status", "explain", "runs", "journal", "broker", "worker", "serve",
    "chaos", "version",
)  # fmt: skip


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'scoop-ft script.py' is short for 'scoop-ft run script.py'.",
)
def cli() -> None:
    """Parallel futures that survive the death of any process."""


# ---- run and resume -----------------------------------------------------------------------------

_quiet = click.option("-q", "--quiet", is_flag=True, help="No progress, only errors.")


def _no_module(context: click.Context, parameter: click.Parameter, module: str | None) -> None:
    """Say what to do in place of ``python -m``: there is no file then that workers could import."""
    if module is not None:
        raise RunError(
            "-m: a script is wanted, not a module: write one beside the package with "
            f"'from {module} import main' and, under 'if __name__ == \"__main__\":', 'main()'; "
            f"then: scoop-ft {context.info_name} THAT_SCRIPT"
        )


_module = click.option("-m", expose_value=False, is_eager=True, hidden=True, callback=_no_module)


def _note_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    said: _Said = context.find_object(_Said) or _Said()
    said.verbose = value
    return value


_verbose = click.option(
    "-v", "--verbose", is_flag=True, is_eager=True, callback=_note_verbose, help="Say more."
)


@cli.command(
    cls=TakesHosts,
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    options_metavar="[OPTIONS]",
)
@run_options
@click.option("--run-dir", type=click.Path(), metavar="DIR",
              help="The directory of this run (default: a new one in .scoop-ft).")  # fmt: skip
@_quiet
@_verbose
@scoop_options
@_module
@click.argument("script", type=click.Path())
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(script: str, args: tuple[str, ...], run_dir: str | None, **options: Any) -> int:
    """Run a script.  What follows the script belongs to it."""
    from .launch import launcher

    _refuse_command(script)
    return launcher.run(script, list(args), run_dir, launcher.Options(**options))


def _refuse_command(script: str) -> None:
    """Say so where a command was meant, and none of that name could be seen."""
    if os.path.exists(script):
        return
    if script in _COMMANDS:
        raise RunError(
            f"options stand behind the command, 'scoop-ft {script} …', "
            f"and there is no script {script}"
        )
    import difflib

    meant = [] if "." in script else difflib.get_close_matches(script, _COMMANDS, 1)
    if meant:
        raise RunError(f"there is neither a script nor a command {script}: is it '{meant[0]}'?")


@cli.command(cls=TakesHosts, short_help="Go on with a run: the last unfinished one, or one named.")
@run_options
@surrounding_options
@_quiet
@_verbose
@click.option("--cwd", type=click.Path(), metavar="DIR",
              help="Working directory of the script (default: as before).")  # fmt: skip
@click.option("--keep-failed", is_flag=True,
              help="Do not try again what failed: the script gets its exception.")  # fmt: skip
@click.option("--redo-changed", is_flag=True,
              help="Compute again what functions had computed that were edited since.")  # fmt: skip
@click.option("--keep-results", is_flag=True,
              help="Keep what functions had computed that were edited since.")  # fmt: skip
@click.option("--recorded-code/--code-on-disk", default=None,
              help="Run the code that the journal holds, or the files as they are now "
              "(default: as before; at first: the files).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be reused and what run again.")
@click.argument("run_dir", required=False, metavar="[RUN]")
@click.pass_obj
def resume(
    said: _Said, /, run_dir: str | None, dry_run: bool, redo_changed: bool, keep_results: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Go on with a run: the last unfinished one of this folder, or the one named.

    After '--' follow other arguments for the script than before.
    """
    from .launch import launcher

    if redo_changed and keep_results:
        raise RunError("--redo-changed and --keep-results exclude each other: give one of them")
    options["edits"] = "redo" if redo_changed else "keep" if keep_results else None
    directory = _locate(run_dir)
    if dry_run:
        return _report(directory)
    return launcher.resume(directory, said.script_args, launcher.Options(**options))


def _locate(where: str | None) -> Any:
    from .launch.unfinished import last_unfinished
    from .rundir import locate

    return last_unfinished(_note) if where is None else locate(where)


def _note(text: str) -> None:
    click.echo(f"scoop-ft: {text}", err=True)


def _report(directory: Any) -> int:
    """Print what a resume would do, function by function."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    from scoop_journal import JournalError

    from .inspect import explain as explaining
    from .launch import edited

    try:
        rows = explaining.dry_run(directory)
    except JournalError as error:
        raise RunError(str(error)) from error
    table = Table(box=None, pad_edge=False)
    for title in ("function", "reused", "again", "why"):
        table.add_column(title, justify="right" if title in ("reused", "again") else "left")
    for row in rows:
        left = [f"{row['left']:,} not asked for any more"] if row["left"] else []
        why = "; ".join(filter(None, [row["why"], *left]))
        table.add_row(Text(row["function"]), f"{row['reused']:,}", f"{row['again']:,}", Text(why))
    Console(highlight=False).print(table)
    edited.mention(directory)
    if any(row["again"] or row["left"] for row in rows):
        click.echo(f"which tasks, and what differs: scoop-ft explain {directory.called}")
    return 0


# ---- looking ------------------------------------------------------------------------------------


@cli.command(short_help="Say what happened to a task, and why it would run again.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.argument("words", nargs=-1, metavar="[RUN] [TASK]")
def explain(words: tuple[str, ...], as_json: bool) -> int:
    """Say what happened to a task, and what a resume would do with it and why.

    Without a task: all calls that were not the recorded ones, and what would run again.  TASK is a
    place, '3.2' for the second task of the script's third one, or the id that errors show.
    """
    from .inspect import explain as explaining

    return explaining.command(list(words), as_json=as_json)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.argument("run_dir", required=False, metavar="[RUN]")
def status(run_dir: str | None, as_json: bool) -> int:
    """Say how a run is: the last one of this folder, or the one named."""
    from .launch import status as looking
    from .launch import tables
    from .rundir import named

    found = looking.status(named(run_dir))
    if as_json:
        import json

        click.echo(json.dumps(found, indent=1, default=str))
    else:
        tables.show(found)
    return 0


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def runs(as_json: bool) -> int:
    """List the runs of this folder."""
    from .launch import tables
    from .launch.status import brief
    from .rundir import find_runs

    rows = [brief(directory) for directory in find_runs()]
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=1))
    elif rows:
        tables.show_runs(rows)
    else:
        click.echo("no runs in this folder")
    return 0


cli.add_command(journal)
cli.add_command(serve)


# ---- parts of a run, by hand --------------------------------------------------------------------


@cli.command()
@max_attempts("as the run has it")
@click.argument("run_dir", metavar="RUN")
def broker(run_dir: str, max_attempts: int | None) -> NoReturn:
    """Be the broker of a run that is there, without a launcher."""
    from .launch import by_hand

    by_hand.serve(run_dir, max_attempts)


@cli.command(short_help="Add workers to a run, by its name or its broker's address.")
@workers("the cores this process may use")
@click.option("--keys", type=click.Path(file_okay=False), metavar="DIR",
              help="The run's folder 'keys', or a copy; needed with a tcp address.")  # fmt: skip
@click.option("--any-versions", is_flag=True,
              help="Join although Python or a package is another one than the run's.")  # fmt: skip
@click.option("--give-up-after", type=Duration(or_never=True), metavar="TIME",
              help="End after so long without a broker: 30m; 0: never (default: 1h; 10s before the "
                   "first answer).")  # fmt: skip
@recycling("never")
@resources
@click.argument("where", metavar="RUN|ADDRESS")
def worker(where: str, workers: int | None, keys: str | None, **options: Any) -> int:
    """Add workers to a run, by its name, its directory or its broker's address."""
    from .launch import standalone

    return standalone.serve(where, workers, keys, **options)


# ---- before a long run --------------------------------------------------------------------------


@cli.command(
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    options_metavar="[OPTIONS]",
)
@click.option("-n", "--workers", type=click.IntRange(1, 1000), metavar="N", default=2,
              help="Number of workers (default: 2).")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 1000), metavar="N", default=3,
              help="How often it is run with kills (default: 3).")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N",
              help="Seed of the kills and of the runs (default: drawn, and shown).")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the run directories, and say where they are.")
@click.option("-q", "--quiet", is_flag=True, help="Only what was found.")
@_verbose
@_module
@click.argument("script", type=click.Path())
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def chaos(script: str, args: tuple[str, ...], **options: Any) -> int:
    """Rehearse a script with kills: is it safe to resume?

    The script runs here, several times: undisturbed, and while its processes are killed.  What was
    not the same is told.  Exit code: 0 safe, 1 not safe, 2 it fails by itself.
    """
    from scoop_chaos.rehearsal.command import rehearse

    return rehearse(script, list(args), **options)


@cli.command()
def version() -> int:
    """Print the version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        click.echo(f"scoop-ft {installed('scoop-ft')}")
    except PackageNotFoundError:
        click.echo("scoop-ft, not installed")
    return 0


# ---- entry --------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    """Run a command line; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    arguments, said = _prepare(arguments)
    try:
        code = cli.main(arguments, prog_name="scoop-ft", standalone_mode=False, obj=said)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        return _fail(_one_line(_with_next_step(error)), 2, said)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130, said)
    except RunError as error:
        return _fail(str(error), error.exit_code, said)
    except ScoopError as error:
        return _fail(_one_line(str(error)), 2, said)
    except OSError as error:
        return _fail(_one_line(_of_the_system(error)), 2, said)


def _prepare(arguments: list[str]) -> tuple[list[str], _Said]:
    """Put in the ``run`` that may be left out; take away what follows a ``--`` of resume."""
    said = _Said()
    first = arguments[0] if arguments else "--help"
    if first not in _COMMANDS and first not in ("-h", "--help"):
        if first == "--version":
            return ["version"], said
        return ["run", *arguments], said
    if first == "resume" and "--" in arguments:
        place = arguments.index("--")
        said.script_args = arguments[place + 1 :]
        arguments = arguments[:place]
    return arguments, said


def _fail(text: str, code: int, said: _Said) -> int:
    if said.verbose and sys.exc_info()[0] is not None:
        import traceback

        traceback.print_exc()
    print(f"scoop-ft: error: {text}", file=sys.stderr, flush=True)
    return code


def _with_next_step(error: click.ClickException) -> str:
    """Name the help of the command, where what was typed does not fit its form."""
    text = error.format_message()
    context = getattr(error, "ctx", None)
    is_missing = isinstance(error, click.MissingParameter)
    if context is None or (isinstance(error, click.BadParameter) and not is_missing):
        return text
    if getattr(error, "possibilities", None):  # it has named what may be meant
        return text
    return f"{text.rstrip('.')}: see '{context.command_path} --help'"


def _of_the_system(error: OSError) -> str:
    """Say what the system has refused in nobody's words but its own, and where to look."""
    if not error.filename or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}; check that path, its permissions and its disk"


def _one_line(text: str) -> str:
    return " ".join(text.split())
