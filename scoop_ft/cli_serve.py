"""``scoop-ft serve``: a broker and workers for programs that come and go.

Only parses; `launch.keeper` does it.
"""

from __future__ import annotations

import click

from .launch.worker_options import workers as workers_option


@click.command(short_help="Keep a broker and workers for programs with an Executor.")
@workers_option("the cores this process may use, or as before")
@click.option("--listen", metavar="tcp://HOST:PORT",
              help="Also serve workers and programs of other machines, encrypted "
              "(default: none, or as before).")  # fmt: skip
@click.option("--durability", type=click.Choice(["synced", "none"]),
              help="Whether results survive a crash of the machine, or only that of any process "
              "(default: synced, or as before).")  # fmt: skip
@click.argument("run_dir", metavar="DIR", type=click.Path(file_okay=False))
def serve(run_dir: str, workers: int | None, listen: str | None, durability: str | None) -> int:
    """Keep a broker and workers for programs with Executor(address=DIR), one at a time."""
    from .launch import keeper

    return keeper.serve(run_dir, workers, listen, durability)
