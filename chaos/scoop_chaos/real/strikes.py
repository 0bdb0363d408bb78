"""How each fault is done: one function a kind, in the modules that this brings together.

A function strikes, writes down what it did and what will show the recovery, and returns False when
there was nobody to strike just then.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Final

from ..faults import Fault
from . import at_the_core, at_the_surroundings, at_workers
from .network import AWAY, HOME
from .plan import Drawn
from .scene import Scene

_STRIKES: Final[dict[Fault, Callable[[Scene, Drawn], bool]]] = {
    Fault.WORKER_KILL: at_workers.worker_kill,
    Fault.WORKER_TERM: at_workers.worker_term,
    Fault.WORKER_STOP: at_workers.worker_stop,
    Fault.WORKER_MEMORY: at_workers.worker_memory,
    Fault.BROKER_KILL: at_the_core.broker_end(signal.SIGKILL),
    Fault.BROKER_TERM: at_the_core.broker_end(signal.SIGTERM),
    Fault.BROKER_STOP: at_the_core.broker_stop,
    Fault.BROKER_DOWN: at_the_core.broker_down,
    Fault.ROOT_KILL: at_the_core.root_end(signal.SIGKILL),
    Fault.ROOT_TERM: at_the_core.root_end(signal.SIGTERM),
    Fault.ROOT_STOP: at_the_core.root_stop,
    Fault.LAUNCHER_KILL: at_the_core.launcher_kill,
    Fault.LAUNCHER_TERM: at_the_core.launcher_term,
    Fault.EVERYTHING_KILL: at_the_core.everything_kill,
    Fault.AGENT_STOP: at_the_surroundings.agent_stop,
    Fault.AGENT_KILL: at_the_surroundings.agent_kill,
    Fault.NET_CUT: at_the_surroundings.cut(HOME, AWAY),
    Fault.NET_ONE_WAY: at_the_surroundings.cut(),
    Fault.DISK_FULL: at_the_surroundings.disk_full,
}


def strike(scene: Scene, drawn: Drawn) -> bool:
    """Do a fault; False when there was nobody to do it to."""
    return _STRIKES[drawn.fault](scene, drawn)
