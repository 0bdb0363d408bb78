"""How each fault is done to a run, what is written down of it, and what shows the recovery.

One function a fault: it strikes, or returns False when there is nobody to strike just now.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

import psutil

from scoop_ft.broker.timing import GRACE_S, LOST_S

from ..faults import Fault
from ..runs import is_gone
from .ledger import ROOT, open_calls
from .network import AWAY, HOME
from .plan import Drawn
from .recovery import Sign, all_of, condition, first_line
from .scene import Scene

LEAVES_S: Final = 3.0  # a worker that was told to leave is gone by then
MEMORY_S: Final = 3.0  # a task that uses memory comes by within this

Strike = Callable[[Scene, Drawn], bool]


def strike(scene: Scene, drawn: Drawn) -> bool:
    """Do a fault; False when there was nobody to do it to."""
    return _STRIKES[drawn.fault](scene, drawn)


def _one(pids: Sequence[int], drawn: Drawn) -> int | None:
    return pids[int(drawn.victim * len(pids))] if pids else None


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


# ---- workers ------------------------------------------------------------------------------------


def _worker_kill(scene: Scene, drawn: Drawn) -> bool:
    pid = _one(scene.workers(), drawn)
    if pid is None:
        return False
    before, known = _crowd(scene), set(scene.worked)
    scene.read_journal()
    since = time.monotonic()
    if not _send(pid, signal.SIGKILL):
        return False
    scene.harm("killed", drawn.fault, at=since, until=time.monotonic(), pids=frozenset([pid]))
    _watch_worker(scene, drawn.fault.value, since, pid, before, known)
    return True


def _worker_term(scene: Scene, drawn: Drawn) -> bool:
    pid = _one([pid for pid in scene.workers() if not scene.is_paused(pid)], drawn)
    if pid is None:
        return False
    before, known = _crowd(scene), set(scene.worked)
    since = time.monotonic()
    if not _send(pid, signal.SIGTERM):
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


def _worker_stop(scene: Scene, drawn: Drawn) -> bool:
    pid = _one([pid for pid in scene.workers() if not scene.is_paused(pid)], drawn)
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


def _worker_memory(scene: Scene, drawn: Drawn) -> bool:
    memory = scene.stage.memory
    pid = _one([pid for pid in scene.workers() if not scene.is_paused(pid)], drawn)
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


# ---- the broker ---------------------------------------------------------------------------------


def _broker_end(number: int) -> Strike:
    def end(scene: Scene, drawn: Drawn) -> bool:
        pid = scene.victim.pid("broker")
        if pid is None or scene.is_paused(pid) or not _send(pid, number):
            return False
        since = time.monotonic()
        scene.broker_died(drawn.fault)
        scene.watch(drawn.fault.value, since, scene.answered(since))
        return True

    return end


def _broker_stop(scene: Scene, drawn: Drawn) -> bool:
    pid = scene.victim.pid("broker")
    if pid is None or scene.is_paused(pid):
        return False

    def goes_on() -> None:
        now = time.monotonic()
        scene.watch(drawn.fault.value, now, scene.answered(now))

    if not scene.pause(pid, drawn.lasts_s, goes_on):
        return False
    scene.without_broker(drawn.fault)
    return True


def _broker_down(scene: Scene, drawn: Drawn) -> bool:
    """Kill the broker while the launcher, which would start it again, is stopped."""
    pid, launcher = scene.victim.pid("broker"), scene.victim.launcher.pid
    if pid is None or scene.is_paused(launcher) or scene.is_paused(pid):
        return False

    def goes_on() -> None:
        now = time.monotonic()
        scene.watch(drawn.fault.value, now, scene.answered(now))

    if not scene.pause(launcher, drawn.lasts_s, goes_on):
        return False
    _send(pid, signal.SIGKILL)
    scene.broker_died(drawn.fault)
    return True


# ---- the root -----------------------------------------------------------------------------------


def _root_end(number: int) -> Strike:
    def end(scene: Scene, drawn: Drawn) -> bool:
        pid = scene.victim.pid("root")
        if pid is None or scene.is_paused(pid) or not _send(pid, number):
            return False
        since = time.monotonic()
        scene.read_journal()
        known = {line.key for line in scene.ledger.lines}
        again = first_line(lambda line: line.key == ROOT and line.at >= since)
        new = first_line(lambda line: line.key not in known)
        scene.watch(drawn.fault.value, since, again)
        after = f"{drawn.fault.value}: replayed, new task"
        scene.watch(after, since, all_of(again, new), needed=False)
        return True

    return end


def _root_stop(scene: Scene, drawn: Drawn) -> bool:
    pid = scene.victim.pid("root")
    if pid is None or scene.is_paused(pid):
        return False

    def goes_on() -> None:
        task = first_line(lambda line: line.what == "S")
        scene.watch(drawn.fault.value, time.monotonic(), task, needed=False)

    return scene.pause(pid, drawn.lasts_s, goes_on)


# ---- the launcher, and all ----------------------------------------------------------------------


def _launcher_kill(scene: Scene, drawn: Drawn) -> bool:
    return _all_die(scene, drawn, [])


def _everything_kill(scene: Scene, drawn: Drawn) -> bool:
    others = [scene.victim.pid("root"), scene.victim.pid("broker"), *scene.victim.workers()]
    return _all_die(scene, drawn, [pid for pid in others if pid is not None])


def _all_die(scene: Scene, drawn: Drawn, others: Sequence[int]) -> bool:
    scene.launcher_struck(scene.harm("killed", drawn.fault, place="here"), drawn.lasts_s)
    for pid in (scene.victim.launcher.pid, *others):
        _send(pid, signal.SIGKILL)
    return True


def _launcher_term(scene: Scene, drawn: Drawn) -> bool:
    launcher = scene.victim.launcher.pid
    if scene.is_paused(launcher):
        return False
    scene.launcher_struck(scene.harm("left", drawn.fault, place="here"), drawn.lasts_s)
    return _send(launcher, signal.SIGTERM)


# ---- agents and the wire ------------------------------------------------------------------------


def _agent_stop(scene: Scene, drawn: Drawn) -> bool:
    agents = [scene.victim.launcher.pid, scene.away.pid if scene.away else None]
    pid = _one([pid for pid in agents if pid is not None and not scene.is_paused(pid)], drawn)
    if pid is None:
        return False
    # Of its workers nobody says that they live, so their work may be given to others.
    place = "here" if pid == scene.victim.launcher.pid else AWAY
    harm = scene.harm("silent", drawn.fault, place=place)

    def goes_on() -> None:
        now = scene.end_silence(harm)
        works = first_line(lambda line: line.what == "S" and line.place == place)
        scene.watch(drawn.fault.value, now, works, needed=False)

    if scene.pause(pid, drawn.lasts_s, goes_on):
        return True
    scene.story.harms.remove(harm)
    return False


def _agent_kill(scene: Scene, drawn: Drawn) -> bool:
    pid = scene.away.pid if scene.away else None
    if scene.away is None or pid is None:
        return False
    harm = scene.harm("killed", drawn.fault, place=AWAY)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()
    scene.away.end()
    harm.until = time.monotonic() + 0.1  # its workers die by the kernel's hand
    scene.away.not_before = harm.until + drawn.lasts_s
    known = set(scene.worked)
    works = first_line(lambda line: line.place == AWAY and line.pid not in known)
    scene.watch(drawn.fault.value, scene.away.not_before, works, needed=False)
    scene.later(LOST_S + GRACE_S, lambda: None)  # its workers count as lost only then
    return True


def _cut(*sources: str) -> Strike:
    def cut(scene: Scene, drawn: Drawn) -> bool:
        network = scene.stage.network
        if network is None or scene.away is None or scene.cut:
            return False
        scene.cut = True
        harm = scene.harm("silent", drawn.fault, place=AWAY)
        one = sources or (AWAY if drawn.victim < 0.5 else HOME,)
        network.cut(*one)

        def join() -> None:
            network.join()
            scene.cut = False
            now = scene.end_silence(harm)
            works = first_line(lambda line: line.place == AWAY and line.what == "S")
            scene.watch(drawn.fault.value, now, works, needed=False)

        scene.later(drawn.lasts_s, join)
        return True

    return cut


# ---- the disk -----------------------------------------------------------------------------------


def _disk_full(scene: Scene, drawn: Drawn) -> bool:
    # On a disk that is full before there is a journal, a run is refused: nothing to recover.
    if not (scene.victim.directory.journal / "data.mdb").exists() or not scene.fill_disk():
        return False

    def free() -> None:
        now = scene.free_disk()
        if now is not None:
            scene.watch(drawn.fault.value, now, first_line(lambda line: line.what == "S"))

    scene.later(drawn.lasts_s, free)
    return True


_STRIKES: Final[dict[Fault, Strike]] = {
    Fault.WORKER_KILL: _worker_kill,
    Fault.WORKER_TERM: _worker_term,
    Fault.WORKER_STOP: _worker_stop,
    Fault.WORKER_MEMORY: _worker_memory,
    Fault.BROKER_KILL: _broker_end(signal.SIGKILL),
    Fault.BROKER_TERM: _broker_end(signal.SIGTERM),
    Fault.BROKER_STOP: _broker_stop,
    Fault.BROKER_DOWN: _broker_down,
    Fault.ROOT_KILL: _root_end(signal.SIGKILL),
    Fault.ROOT_TERM: _root_end(signal.SIGTERM),
    Fault.ROOT_STOP: _root_stop,
    Fault.LAUNCHER_KILL: _launcher_kill,
    Fault.LAUNCHER_TERM: _launcher_term,
    Fault.EVERYTHING_KILL: _everything_kill,
    Fault.AGENT_STOP: _agent_stop,
    Fault.AGENT_KILL: _agent_kill,
    Fault.NET_CUT: _cut(HOME, AWAY),
    Fault.NET_ONE_WAY: _cut(),
    Fault.DISK_FULL: _disk_full,
}
