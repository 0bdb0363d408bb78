"""The status of a run, and the list of a folder's runs, as tables for people.

Prints what it is given; looks up nothing but whether the journal is synced.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ..rundir import RunDir
from . import growth
from .progress import format_age
from .status import TASK_KEYS

if TYPE_CHECKING:
    from rich.table import Table


def show(found: dict[str, Any]) -> None:
    """Print a status as tables."""
    from rich.console import Console
    from scoop_journal.layout import UNSYNCED_FILE

    from ..inspect.wording import departed

    console = Console(highlight=False)
    console.print(f"run {found['run']}  {_state(found)}", markup=False)
    of = f"script {' '.join([found['script'], *found['args']])}"
    console.print(
        of if found["script"] else "of programs with an Executor",
        markup=False, style="dim", soft_wrap=True,
    )  # fmt: skip
    console.print(f"directory {found['run_dir']}", markup=False, style="dim", soft_wrap=True)
    if found["waiting"]:
        console.print(f"waiting: {found['waiting']}", markup=False, style="yellow")
    for text in found["warnings"]:
        console.print(f"warning: {text}", markup=False, style="yellow")
    for host, why in found.get("turned_away", {}).items():
        console.print(f"turned away: {host}: {why}", markup=False, style="yellow")
    console.print(_tasks(found["tasks"]))
    pids = [(name, found[name]["pid"]) for name in ("launcher", "root", "broker")]
    living = "  ".join(f"{name} {pid}" for name, pid in pids if pid)
    if living:
        console.print(f"processes: {living}", markup=False)
    if found["workers"]:
        console.print(_workers(found["workers"]))
    called = RunDir(found["run_dir"]).called
    for line in departed(called, found["mismatches"], found["divergences"]):
        console.print(line, markup=False, style="yellow", soft_wrap=True)
    journal = found["journal"]
    size, live = growth.format_size(journal["bytes"]), growth.format_size(journal["live_bytes"])
    unsynced = (RunDir(found["run_dir"]).journal / UNSYNCED_FILE).exists()
    lost = ", not synced: lost if its machine stops" if unsynced else ""
    console.print(f"journal: {size}, {live} of it in use{lost}", markup=False, style="dim")


def _tasks(tasks: dict[str, int]) -> Table:
    from rich.table import Table

    counts = {key: count for key, count in tasks.items() if count or key in TASK_KEYS}
    table = Table(box=None, pad_edge=False)
    for key in counts:
        table.add_column(key.replace("_", " "), justify="right", no_wrap=True)
    table.add_row(*(f"{count:,}" for count in counts.values()))
    return table


def _workers(workers: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("worker", "host", "pid", "state", "tasks", "runs"):
        table.add_column(title, justify="right" if title in ("pid", "tasks") else "left")
    for worker in workers:
        table.add_row(
            worker["id"][-6:],
            worker["host"],
            str(worker["pid"]),
            worker["state"],
            f"{worker['tasks_done']:,}",
            worker.get("function") or "",
        )
    return table


def _state(found: dict[str, Any]) -> str:
    code = found.get("exit_code")
    return f"{found['state']} (exit code {code})" if code else str(found["state"])


def show_runs(rows: list[dict[str, Any]]) -> None:
    """Print a list of runs as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("run", "state", "tasks done", "script", "age"):
        table.add_column(title, justify="right" if title == "tasks done" else "left")
    now = time.time()
    for row in rows:
        tasks = row["tasks"]
        table.add_row(
            Text(RunDir(row["run_dir"]).called),
            Text(row["state"]),
            f"{tasks.get('done', 0):,}/{tasks.get('submitted', 0):,}",
            Text(os.path.basename(row.get("script", ""))),
            format_age(max(now - row["created"], 0)) if "created" in row else "",
        )
    Console(highlight=False).print(table)
