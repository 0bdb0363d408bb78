"""How a run is, as plain values: what `status`, the launcher and the agents are told.

Reads a broker, changes nothing in it but for a look that it remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..ids import short
from ..wire.messages import NO_WORKER
from . import departures, lanes, once, records
from .peers import Peer
from .tasks import CANCELLED, HELD, LEASED, QUEUED

if TYPE_CHECKING:
    from .core import Broker

LOOK_S: Final = 0.1  # agents are told of all workers as they were this long ago, at most,
LOOK_WORKERS: Final = 1_000  # or so many times as long as there are so many of them
UP: Final = frozenset({"idle", "busy"})


def stats(b: Broker) -> dict[str, Any]:
    """Return how the run is, and all that is known of each worker."""
    workers = [worker_stats(b, peer) for peer in b.peers.workers.values()]
    return {**_summary(b), "workers": workers, "waiting": waiting(b)}


def overview(b: Broker) -> dict[str, Any]:
    """Return the same without the single workers, for those who ask twice a second.

    What is said of all workers may be a moment old (`LOOK_S`).
    """
    return {**_summary(b), **b.looks.now(b)}


def mismatches(b: Broker) -> int:
    """Count the calls and steps of parents run again that are not the recorded ones."""
    return departures.total(b.book) + b.other_steps


def _summary(b: Broker) -> dict[str, Any]:
    book, tally, code = b.book, b.book.tally, b.book.code
    done = min(b.on_disk, book.finished)  # what a cut of the power leaves
    return {
        "run": b.run,
        "state": _state(book.exit_code),
        "exit_code": book.exit_code,
        "tasks": {
            "submitted": book.submitted,
            "done": done,
            "running": tally.of(LEASED) + book.finished - done,
            "pending": tally.of(QUEUED) + tally.of(HELD),
            "failed": book.failed,
            "resubmitted": b.resubmitted,
            "reused": b.reused,
            "cancelled": tally.of(CANCELLED),
            "dropped_late": b.late,
            "copies": b.copies.begun,
        },
        "journal": b.journal_info,
        "bad_messages": b.bad_messages,
        **departures.report(book),
        "mismatches": mismatches(b),
        "incarnation": b.incarnation,
        "environment": records.plain(code.environment if code.is_ours else None),
        "turned_away": b.turned_away,
    }


def _state(code: int | None) -> str:
    return "running" if code is None else "failed" if code else "done"


def waiting(b: Broker) -> str:
    """Say why nothing can progress; empty when something can."""
    if b.full:
        return b.full
    if b.book.exit_code is not None:
        return ""
    tally = b.book.tally
    workers = list(b.peers.workers.values())
    usable = [p for p in workers if p.connected and not p.suspended]
    if not b.root or b.root not in b.peers or not b.peers[b.root].connected:
        served = b.settings.get("script") == ""
        return "no program has joined" if served else "the script's process is not connected"
    if tally.of(QUEUED) or tally.of(LEASED):
        if not workers:
            return NO_WORKER + _turned_away(b)
        if not usable and any(p.suspended for p in workers):
            return "all workers are stopped or silent"
        if not usable:
            return "no worker can be reached"
    return lanes.unmet(b.ready.lanes, workers) or once.waits_for(b)


class Looks:
    """What is said of all workers at once, looked up anew now and then."""

    def __init__(self) -> None:
        self._at = 0.0
        self._found: dict[str, Any] | None = None

    def now(self, b: Broker) -> dict[str, Any]:
        """Return how many workers there are and are up, and why nothing can progress."""
        workers = b.peers.workers
        patience = LOOK_S * max(1.0, len(workers) / LOOK_WORKERS)
        if self._found is None or b.now - self._at > patience:
            up = sum(_worker_state(peer) in UP for peer in workers.values())
            self._at, self._found = b.now, {"workers_up": up, "waiting": waiting(b)}
        return {"workers_known": len(workers), **self._found}


def _turned_away(b: Broker) -> str:
    return "".join(f"; {host} was turned away: {why}" for host, why in [*b.turned_away.items()][:1])


def worker_stats(b: Broker, peer: Peer) -> dict[str, Any]:
    """Return what is known of a worker, as plain values."""
    report = peer.report
    task = report.task if report is not None else b""
    found = b.book.task(task) if task else None
    return {
        "id": peer.session.hex(),
        "pid": peer.pid,
        "host": peer.host,
        "state": _worker_state(peer),
        "tasks_done": max(peer.tasks_done, report.tasks_done if report is not None else 0),
        "task": f"{short(found[0].id)}:{found[1]}" if found is not None else "",
        "function": b.book.function_of(*found) if found is not None else "",
        "running_s": report.since_s if report is not None and task else 0.0,
        "rss_bytes": report.rss_bytes if report is not None else 0,
        "last_heartbeat_s": round(b.now - peer.heard_at, 3),
    }


def _worker_state(peer: Peer) -> str:
    if not peer.connected:
        return "lost"
    if peer.suspended:
        return "stopped"
    computes = peer.report is not None and peer.report.task  # again: what it waited for has come
    return "idle" if peer.idle and not computes else "busy"
