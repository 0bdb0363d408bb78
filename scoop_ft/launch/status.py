"""What ``scoop-ft status`` and ``runs`` say: of a living run from its broker, else its journal.

Only looks: a run is neither changed nor kept from anything by being asked.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from ..client.asking import LIMIT_S, ask
from ..errors import RunError
from ..rundir import Live, LiveProcess, RunDir, find_runs
from . import growth
from .launcher import journal_summary, resume_command
from .lock import is_locked
from .processes import exists, is_stopped, lives
from .progress import format_age

TASK_KEYS: Final = (
    "submitted", "done", "running", "pending", "failed", "resubmitted", "reused",
)  # fmt: skip
MORE_TASK_KEYS: Final = ("cancelled", "dropped_late", "copies")  # not among the lines for people


def status(directory: RunDir) -> dict[str, Any]:
    """Return how a run is, with the keys that ``docs`` promise for ``status --json``."""
    info = directory.info()
    result: dict[str, Any] = {
        "run": info.run,
        "state": "interrupted",
        "run_dir": str(directory.path),
        "launcher": {"pid": None},
        "root": {"pid": None, "restarts": 0},
        "broker": {"pid": None, "endpoint": None, "restarts": 0},
        "workers": [],
        "tasks": dict.fromkeys((*TASK_KEYS, *MORE_TASK_KEYS), 0),
        "journal": {"bytes": 0, "live_bytes": 0, "free_bytes": 0, "last_sync_s": None},
        "exit_code": None,
        "waiting": "",
        "warnings": [],
        "mismatches": 0,
        "divergences": [],
        "script": info.script,
        "args": info.args,
        "created": info.created,
        "seed": info.seed,
        "durability": info.durability,
        "environment": None,
        "turned_away": {},
    }
    running = is_locked(directory)
    stats = None
    try:
        stats = ask(directory, LIMIT_S, strict=True)
    except RunError as refused:
        result["warnings"] = [f"{refused}; what follows is what its journal says"]
    if stats is None:
        _from_journal(result, directory, info.unsafe_filesystem, running)
    else:
        _from_broker(result, stats)
    if running:
        result["state"] = "running"
        _add_processes(result, directory.live(), "unknown" if stats is None else "starting")
        if stats is None and not result["warnings"]:
            result["waiting"] = result["waiting"] or _why_silent(result["broker"]["pid"])
    elif stats is not None:
        result["state"] = stats.get("state", "running")  # a broker without a launcher
    if running or stats is not None:
        with contextlib.suppress(RunError):  # not chosen yet, or dropped at the end
            result["broker"]["endpoint"] = directory.endpoint()
    if grown := growth.warning(result["journal"], info.journal_limit):
        result["warnings"] = [*result["warnings"], grown]
    return result


def _why_silent(broker: int | None) -> str:
    if broker is None:
        return "the broker is being started"
    if is_stopped(broker):
        return f"the broker is stopped; 'kill -CONT {broker}' lets it go on"
    return "the broker does not answer"


def _from_broker(result: dict[str, Any], stats: dict[str, Any]) -> None:
    for key, value in stats.items():
        if key in ("run", "state"):
            continue
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = {**result[key], **value}
        else:
            result[key] = value


def _from_journal(
    result: dict[str, Any], directory: RunDir, unsafe_filesystem: bool, running: bool
) -> None:
    try:
        found = journal_summary(directory, unsafe_filesystem=unsafe_filesystem)
    except RunError as error:
        if not running:
            raise
        result["waiting"] = str(error)
        return
    result["tasks"] |= found.get("tasks", {})
    result["journal"] |= found.get("journal", {})
    result["state"] = found.get("state", "interrupted")
    result["exit_code"] = found.get("exit_code")
    result["environment"] = found.get("environment")
    for key in ("mismatches", "divergences"):
        result[key] = found.get(key, result[key])


# ---- processes ----------------------------------------------------------------------------------


def _add_processes(result: dict[str, Any], live: Live | None, otherwise: str) -> None:
    """Add the pids of the launcher's processes, of those that live.

    ``otherwise`` is how workers are of which the broker has told nothing.
    """
    if live is None:
        return
    here = live.host == socket.gethostname()

    def is_alive(process: LiveProcess | None) -> bool:
        return process is not None and (not here or lives(process.pid, process.created))

    result["host"] = live.host
    if is_alive(live.launcher) and not live.by_hand:
        result["launcher"]["pid"] = live.launcher.pid
    for name, process in (("root", live.root), ("broker", live.broker)):
        if process is not None:
            result[name]["restarts"] = process.restarts
            result[name]["pid"] = process.pid if is_alive(process) else None
    launched = {worker.id: worker for worker in live.workers if is_alive(worker)}
    known = {worker["id"] for worker in result["workers"]}
    result["workers"] = [
        worker
        for worker in result["workers"]
        if worker.get("host") != live.host or worker["id"] in launched or exists(worker["pid"])
    ]
    for worker in launched.values():
        if worker.id not in known:
            result["workers"].append(_launched(worker, live.host, otherwise))


def _launched(worker: LiveProcess, host: str, state: str) -> dict[str, Any]:
    return {
        "id": worker.id,
        "pid": worker.pid,
        "host": host,
        "state": state,
        "tasks_done": 0,
        "function": "",
        "last_heartbeat_s": None,
    }


# ---- several runs -------------------------------------------------------------------------------


def brief(directory: RunDir) -> dict[str, Any]:
    """Return what ``runs`` lists of a run; what cannot be read says why in ``state``."""
    return _look(directory)[0]


def _look(directory: RunDir) -> tuple[dict[str, Any], bool]:
    """Return what ``runs`` lists of a run, and whether nothing is recorded in it."""
    row: dict[str, Any] = {"run": directory.path.name, "run_dir": str(directory.path), "tasks": {}}
    blank = False
    try:
        info = directory.info()
        row.update(run=info.run, script=info.script, args=info.args, created=info.created)
        found = journal_summary(directory, unsafe_filesystem=info.unsafe_filesystem)
        running = is_locked(directory)
        row.update(tasks=found.get("tasks", {}), state="running" if running else found["state"])
        blank = found["blank"]
    except RunError as error:
        row.update(state="unreadable", why=str(error))
    return row, blank


def last_unfinished(say: Callable[[str], None], folder: str = ".") -> RunDir:
    """Find the last run of a folder that has not finished, to go on with.

    One in which nothing is recorded (it was interrupted as it started) does not stand before one
    with results, which is told by ``say``.  When all have finished it is the last of them: whoever
    asks in a loop comes to an end.

    Raises
    ------
    RunError
        There is none; or one that was started later is running, for nobody has two by surprise, or
        cannot be read, for it may be the one that is meant.
    """
    runs = find_runs(folder)
    if not runs:
        raise RunError(
            "no run found in this folder: give the run directory, or start one with "
            "'scoop-ft run script.py'"
        )
    reasons: list[str] = []
    in_the_way: list[str] = []
    blank: list[RunDir] = []
    for directory in reversed(runs):
        row, is_blank = _look(directory)
        if row["state"] in ("interrupted", "failed"):
            if row["script"] and not is_blank:
                return _alone(directory, in_the_way, blank, say)
            if row["script"]:
                blank.append(directory)
            else:
                reasons.append(f"{directory.called} has no script: its program goes on with it")
        elif row["state"] != "done":
            why = row.get("why")
            what = f"cannot be read: {why}" if why else f"is {row['state']}"
            reasons.append(f"{directory.called} {what}")
            if why:
                in_the_way.append(f"{directory.called} cannot be read ({why})")
            elif row["script"]:
                in_the_way.append(reasons[-1])
    if blank:
        return _alone(blank[0], in_the_way, [], say)
    if reasons:
        raise RunError("no run to go on with: " + "; ".join(reasons[:3]))
    return runs[-1]


def _alone(
    found: RunDir, in_the_way: list[str], blank: list[RunDir], say: Callable[[str], None]
) -> RunDir:
    """Return a run to go on with, unless a later one may be meant; say what was passed over."""
    if in_the_way:
        raise RunError(
            f"{in_the_way[0]}, and was started later than {found.called}, which is not finished: "
            f"to go on with that: {resume_command(found)}"
        )
    for directory in reversed(blank):
        say(f"nothing is recorded in {directory.called}: going on with {found.called}")
    return found


# ---- for people ---------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> None:
    """Print a status as tables."""
    from rich.console import Console
    from rich.table import Table
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
    counts = {k: n for k, n in found["tasks"].items() if n or k in TASK_KEYS}
    tasks = Table(box=None, pad_edge=False)
    for key in counts:
        tasks.add_column(key.replace("_", " "), justify="right", no_wrap=True)
    tasks.add_row(*(f"{count:,}" for count in counts.values()))
    console.print(tasks)
    pids = [(name, found[name]["pid"]) for name in ("launcher", "root", "broker")]
    living = "  ".join(f"{name} {pid}" for name, pid in pids if pid)
    if living:
        console.print(f"processes: {living}", markup=False)
    if found["workers"]:
        table = Table(box=None, pad_edge=False)
        for title in ("worker", "host", "pid", "state", "tasks", "runs"):
            table.add_column(title, justify="right" if title in ("pid", "tasks") else "left")
        for worker in found["workers"]:
            table.add_row(
                worker["id"][-6:],
                worker["host"],
                str(worker["pid"]),
                worker["state"],
                f"{worker['tasks_done']:,}",
                worker.get("function") or "",
            )
        console.print(table)
    called = RunDir(found["run_dir"]).called
    for line in departed(called, found["mismatches"], found["divergences"]):
        console.print(line, markup=False, style="yellow", soft_wrap=True)
    journal = found["journal"]
    size, live = growth.format_size(journal["bytes"]), growth.format_size(journal["live_bytes"])
    unsynced = (RunDir(found["run_dir"]).journal / UNSYNCED_FILE).exists()
    lost = ", not synced: lost if its machine stops" if unsynced else ""
    console.print(f"journal: {size}, {live} of it in use{lost}", markup=False, style="dim")


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
