"""What an agent's driver sees of the workers, and what the agent wants done: values only."""

from __future__ import annotations

import msgspec

from ..wire.messages import Message


class Sight(msgspec.Struct, frozen=True):
    """What the driver sees of a worker: its slate, its memory."""

    ready: bool = False
    task: bytes = b""
    tasks_done: int = 0
    rss_bytes: int = 0
    retired: bool = False
    deadline: float = 0.0  # when the task's time limit is over, on our clock; 0: it has none
    left: bool = False  # it has ended of itself
    unfit: bool = False  # since it could not import the script, or its machine lacks something
    lacks: bool = False  # its machine lacks something
    stale: bool = False  # since it had imported code that was edited
    imported: bool = False  # it has imported the script
    cancelled: bool = False  # the task that runs
    beside: bool = False  # others waited in this process as it was cancelled


class Send(msgspec.Struct, frozen=True):
    """Send a message to the broker."""

    message: Message


class Reconnect(msgspec.Struct, frozen=True):
    """Make a new connection to the broker."""


class Spawn(msgspec.Struct, frozen=True):
    """Start a worker; answer with `Agent.started`."""

    slot: int
    session: bytes


class Kill(msgspec.Struct, frozen=True):
    """Send a signal to a worker."""

    session: bytes
    signal: int


class Retire(msgspec.Struct, frozen=True):
    """Let a worker make room for another as soon as it runs no task."""

    session: bytes


class Say(msgspec.Struct, frozen=True):
    """Tell the user; ``grave`` when it needs somebody's attention."""

    text: str
    grave: bool = False


class Finished(msgspec.Struct, frozen=True):
    """The broker wants no workers any more; ``refused`` when it never did."""

    reason: str
    refused: bool


class Unfit(msgspec.Struct, frozen=True):
    """This machine lacks what the run needs, and leaves it for that."""

    reason: str


Effect = Send | Reconnect | Spawn | Kill | Retire | Say | Finished | Unfit
