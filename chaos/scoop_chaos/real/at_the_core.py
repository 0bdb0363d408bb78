"""Faults of broker, root and launcher: killed, told to end, stopped, kept down."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from ..signals import send
from .ledger import ROOT
from .plan import Drawn
from .recovery import all_of, first_line
from .scene import Scene

Strike = Callable[[Scene, Drawn], bool]


def broker_end(number: int) -> Strike:
    """Return the strike that ends the broker by a signal."""

    def end(scene: Scene, drawn: Drawn) -> bool:
        pid = scene.victim.pid("broker")
        if pid is None or scene.is_paused(pid) or not send(pid, number):
            return False
        since = time.monotonic()
        scene.broker_died(drawn.fault)
        scene.watch(drawn.fault.value, since, scene.answered(since))
        return True

    return end


def broker_stop(scene: Scene, drawn: Drawn) -> bool:
    """Stop the broker for some time."""
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


def broker_down(scene: Scene, drawn: Drawn) -> bool:
    """Kill the broker while the launcher, which would start it again, is stopped."""
    pid, launcher = scene.victim.pid("broker"), scene.victim.launcher.pid
    if pid is None or scene.is_paused(launcher) or scene.is_paused(pid):
        return False

    def goes_on() -> None:
        now = time.monotonic()
        scene.watch(drawn.fault.value, now, scene.answered(now))

    if not scene.pause(launcher, drawn.lasts_s, goes_on):
        return False
    send(pid, signal.SIGKILL)
    scene.broker_died(drawn.fault)
    return True


# ---- the root -----------------------------------------------------------------------------------


def root_end(number: int) -> Strike:
    """Return the strike that ends the root by a signal."""

    def end(scene: Scene, drawn: Drawn) -> bool:
        pid = scene.victim.pid("root")
        if pid is None or scene.is_paused(pid) or not send(pid, number):
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


def root_stop(scene: Scene, drawn: Drawn) -> bool:
    """Stop the root for some time."""
    pid = scene.victim.pid("root")
    if pid is None or scene.is_paused(pid):
        return False

    def goes_on() -> None:
        task = first_line(lambda line: line.what == "S")
        scene.watch(drawn.fault.value, time.monotonic(), task, needed=False)

    return scene.pause(pid, drawn.lasts_s, goes_on)


# ---- the launcher, and all ----------------------------------------------------------------------


def launcher_kill(scene: Scene, drawn: Drawn) -> bool:
    """Kill the launcher: all it has started dies with it."""
    return _all_die(scene, drawn, [])


def everything_kill(scene: Scene, drawn: Drawn) -> bool:
    """Kill launcher, root, broker and workers of its host at once."""
    others = [scene.victim.pid("root"), scene.victim.pid("broker"), *scene.victim.workers()]
    return _all_die(scene, drawn, [pid for pid in others if pid is not None])


def _all_die(scene: Scene, drawn: Drawn, others: Sequence[int]) -> bool:
    scene.launcher_struck(scene.harm("killed", drawn.fault, place="here"), drawn.lasts_s)
    for pid in (scene.victim.launcher.pid, *others):
        send(pid, signal.SIGKILL)
    return True


def launcher_term(scene: Scene, drawn: Drawn) -> bool:
    """Tell the launcher to end, as a batch system does."""
    launcher = scene.victim.launcher.pid
    if scene.is_paused(launcher):
        return False
    scene.launcher_struck(scene.harm("left", drawn.fault, place="here"), drawn.lasts_s)
    return send(launcher, signal.SIGTERM)
