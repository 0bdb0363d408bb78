"""What launcher and remote agent say to each other through ssh, besides what workers print.

The launcher writes to the agent's standard input: one line of `Orders` after the agent's hello,
later maybe `LEAVE`; the end of it means that the launcher is gone.  So the keys are on no command
line and in no environment.  The agent writes lines that begin with `MARK` to its standard error.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ...rundir import Keys

MARK: Final = b"\x01scoop-ft "
LEAVE: Final = b"leave\n"


class Orders(msgspec.Struct, kw_only=True):
    """What the agent is to do.

    Attributes
    ----------
    address : str
        The broker's, with an empty host name where the agent is to take the machine that ssh comes
        from.
    launcher : str
        The launcher's host name, where ssh does not say where it comes from.
    keys : Keys
        The run's client keys.
    workers : int
        0: one for each core.
    cwd, path : str
        The script's folder, used where it exists; the folder that was asked for.
    replaces : int
        The pid of the agent that was there before; 0: there was none.
    max_tasks, max_memory : int
        After how many tasks, or with how many bytes, a worker makes room for another; 0: never.
    resources : dict
        What each worker has for tasks that ask for it.
    """

    address: str
    launcher: str
    keys: Keys
    workers: int
    cwd: str
    path: str
    replaces: int = 0
    max_tasks: int = 0
    max_memory: int = 0
    resources: dict[str, int] = {}


class Word(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the agent says: hello, with its pid; later, that the broker has welcomed its workers."""

    hello: int = 0
    up: int = 0


def line(word: Word) -> bytes:
    """Return a word as a line."""
    return MARK + msgspec.json.encode(word) + b"\n"


def read(text: bytes) -> Word | None:
    """Return the word that a line is; None when it is something else."""
    if not text.startswith(MARK):
        return None
    try:
        return msgspec.json.decode(text.removeprefix(MARK), type=Word)
    except msgspec.MsgspecError:
        return None
