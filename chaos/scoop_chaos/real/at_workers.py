"""Faults of workers: killed, told to leave, stopped, out of memory."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Final

from ..runs import is_gone
from ..signals import send
from .ledger import ROOT, open_calls
from .plan import Drawn
from .recovery import Sign, all_of, condition, first_line
from .scene import Scene

LEAVES_S: Final = 3.0  # a worker that was told to leave is gone by then
MEMORY_S: Final = 3.0  # a task that uses memory comes by within this


def worker_kill(scene: Scene, drawn: Drawn) -> bool:
    """Kill a worker."""
    pid = drawn.choose(scene.workers())
    if pid is None:
        return False
    before, known = _crowd(scene), set(scene.worked)
    scene.read_journal()
    since = time.monotonic()
    if not send(pid, signal.SIGKILL):
        return False
    scene.harm("killed", drawn.fault, at=since, until=time.monotonic(), pids=frozenset([pid]))
    _watch_worker(scene, drawn.fault.value, since, pid, before, known)
    return True


def worker_term(scene: Scene, drawn: Drawn) -> bool:
    """Tell a worker to leave, as its agent or the owner of a machine does."""
    pid = drawn.choose([pid for pid in scene.workers() if not scene.is_paused(pid)])
    if pid is None:
        return False
    before, known = _crowd(scene), set(scene.worked)
    since = time.monotonic()
    if not send(pid, signal.SIGTERM):
        return False
    scene.harm("left", drawn.fault, at=since, until=since + LEAVES_S, pids=frozenset([pid]))
    _watch_worker(scene, drawn.fault.value, since, pid, before, known)
    return True


def _crowd(scene: Scene) -> tuple[int, int]:
    return len(scene.victim.workers()), len(scene.away.workers()) if scene.away else 0


def _watch_worker(
    scene: Scene, kind: str, since: float, pid: int, before: tuple[int, int], known: set[int]
) -> None:
    """Recovered: as many workers as before, and one of those tasks that it ran runs again.

    That all of them run again is timed too: children do when their parents have come so far.
    """

    def all_back() -> bool:
        now = _crowd(scene)
        return pid not in scene.workers() and all(a >= b for a, b in zip(now, before, strict=True))

    scene.ledger.look()  # up to its death
    lost = {line.key for line in open_calls(scene.ledger.lines, pid)}
    scene.watch(
        kind, since, all_of(_task(lambda key: not lost or key in lost), condition(all_back))
    )
    if lost:
        scene.watch(f"{kind}: all it ran runs again", since, _all_started(lost), needed=False)
    replaced = first_line(lambda line: line.pid not in known and line.key != ROOT)
    scene.watch(f"{kind}: a new one works", since, replaced, needed=False)


def _task(wanted: Callable[[str], bool]) -> Sign:
    """Wait for the first start of a task that is wanted."""
    return first_line(lambda line: line.what == "S" and line.key != ROOT and wanted(line.key))


def _all_started(keys: set[str]) -> Sign:
    """Wait until each of these was started."""
    return all_of(*(_task(key.__eq__) for key in keys))


def worker_stop(scene: Scene, drawn: Drawn) -> bool:
    """Stop a worker for some time."""
    pid = drawn.choose([pid for pid in scene.workers() if not scene.is_paused(pid)])
    if pid is None:
        return False
    harm = scene.harm("silent", drawn.fault, pids=frozenset([pid]))

    def goes_on() -> None:
        now = scene.end_silence(harm)
        scene.watch(
            drawn.fault.value, now, first_line(lambda line: line.pid == pid or line.at > now + 1.0)
        )

    if scene.pause(pid, drawn.lasts_s, goes_on):
        return True
    scene.story.harms.remove(harm)
    return False


def worker_memory(scene: Scene, drawn: Drawn) -> bool:
    """Let a worker use little more memory than it does: the kernel kills it at its next task."""
    memory = scene.stage.memory
    pid = drawn.choose([pid for pid in scene.workers() if not scene.is_paused(pid)])
    if memory is None or pid is None:
        return False
    before, known = _crowd(scene), set(scene.worked)
    try:
        group = memory.limit(pid)
    except ProcessLookupError:
        return False
    harm = scene.harm("killed", drawn.fault, pids=frozenset([pid]))
    deadline = harm.at + MEMORY_S

    def look_again() -> None:
        now = time.monotonic()
        if is_gone(pid):
            harm.until = now
            _watch_worker(scene, drawn.fault.value, now, pid, before, known)
        elif now < deadline:
            scene.later(0.01, look_again)
            return
        else:
            scene.story.harms.remove(harm)  # it has not used more
        memory.remove(group)

    look_again()
    return True
