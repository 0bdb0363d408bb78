"""What ``scoop-ft status`` and ``runs`` say: of a living run from its broker, else its journal.

Only looks: a run is neither changed nor kept from anything by being asked.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Final

from ..client.asking import LIMIT_S, ask
from ..errors import RunError
from ..rundir import Live, LiveProcess, RunDir
from . import growth
from .launcher import journal_summary
from .lock import is_locked
from .processes import exists, is_stopped, lives

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
    """Return what ``runs`` lists of a run; what cannot be read says why in ``why``."""
    return look(directory)[0]


def look(directory: RunDir) -> tuple[dict[str, Any], bool]:
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
