"""The kinds of faults: one name for each, in every harness, report and table.

Only names.  What a fault does is the business of the harness that injects it.
"""

from __future__ import annotations

from enum import Enum


class Fault(str, Enum):
    """What can go wrong; the value is what people read."""

    # processes
    WORKER_KILL = "worker killed"
    WORKER_TERM = "worker told to leave"
    WORKER_STOP = "worker stopped, continued"
    WORKER_STAYS_STOPPED = "worker stopped for good"
    WORKER_SLOW = "worker slow"
    WORKER_GONE = "worker gone for ever"
    WORKER_MEMORY = "worker out of memory"
    BROKER_KILL = "broker killed"
    BROKER_STOP = "broker stopped, continued"
    BROKER_TERM = "broker told to end"
    BROKER_DOWN = "broker killed and kept down"
    ROOT_KILL = "root killed"
    ROOT_STOP = "root stopped, continued"
    ROOT_TERM = "root told to end"
    ROOT_REORDERED = "root replays in another order"
    ROOT_EDITED = "root replays edited code"
    AGENT_KILL = "agent killed"
    AGENT_STOP = "agent stopped, continued"
    LAUNCHER_KILL = "launcher killed, resumed"
    LAUNCHER_TERM = "launcher told to end, resumed"
    EVERYTHING_KILL = "everything killed, resumed"
    POISON = "task that kills its worker"

    # machines
    HOST_SLEEP = "machine asleep, awake"

    # network
    NET_DELAY = "network slow"
    NET_LOSS = "connection lost"
    NET_REORDER = "old connection outlives the new one"
    NET_ONE_WAY = "partition one way"
    NET_CUT = "partition both ways"
    NET_HALF_OPEN = "connection half open"

    # disk
    DISK_SLOW = "disk slow"
    DISK_FULL = "disk full, freed"
    DISK_SYNC = "sync fails"
    DISK_WRITE = "write fails"
    POWER_CUT = "power cut"

    # time
    CLOCK_JUMP = "clock jumps"
    CLOCK_SKEW = "clock fast or slow"
