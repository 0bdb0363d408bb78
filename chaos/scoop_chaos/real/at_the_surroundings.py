"""Faults of what a run stands on: agents of hosts, the wire between them, the disk."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil

from scoop_ft.broker.timing import GRACE_S, LOST_S

from .network import AWAY, HOME
from .plan import Drawn
from .recovery import first_line
from .scene import Scene
from .story import HERE

Strike = Callable[[Scene, Drawn], bool]


def agent_stop(scene: Scene, drawn: Drawn) -> bool:
    """Stop one that answers for workers for some time: the launcher, or the other host's agent."""
    agents = [scene.victim.launcher.pid, scene.away.pid if scene.away else None]
    pid = drawn.choose([pid for pid in agents if pid is not None and not scene.is_paused(pid)])
    if pid is None:
        return False
    # Of its workers nobody says that they live, so their work may be given to others.
    place = HERE if pid == scene.victim.launcher.pid else AWAY
    harm = scene.harm("silent", drawn.fault, place=place)

    def goes_on() -> None:
        now = scene.end_silence(harm)
        works = first_line(lambda line: line.what == "S" and line.place == place)
        scene.watch(drawn.fault.value, now, works, needed=False)

    if scene.pause(pid, drawn.lasts_s, goes_on):
        return True
    scene.story.harms.remove(harm)
    return False


def agent_kill(scene: Scene, drawn: Drawn) -> bool:
    """Kill the agent of the other host: its workers die with it."""
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


def cut(*sources: str) -> Strike:
    """Return the strike that loses what these hosts send (none named: one of the two)."""

    def strike(scene: Scene, drawn: Drawn) -> bool:
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

    return strike


# ---- the disk -----------------------------------------------------------------------------------


def disk_full(scene: Scene, drawn: Drawn) -> bool:
    """Fill the disk of the run directory for some time."""
    # On a disk that is full before there is a journal, a run is refused: nothing to recover.
    if not (scene.victim.directory.journal / "data.mdb").exists() or not scene.fill_disk():
        return False

    def free() -> None:
        now = scene.free_disk()
        if now is not None:
            scene.watch(drawn.fault.value, now, first_line(lambda line: line.what == "S"))

    scene.later(drawn.lasts_s, free)
    return True
