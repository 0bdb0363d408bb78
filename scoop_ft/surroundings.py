"""What a run's own processes are surrounded by: recorded in ``run.json``, told to each process.

Two records and the variable that carries one of them into a process.  Every process of a run may
import this, so it stays light; it starts nothing and decides nothing.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

SCOOP_VARIABLE: Final = "SCOOP_FT_AS_SCOOP"  # what `as_scoop` reads
PROFILE_VARIABLE: Final = "SCOOP_FT_PROFILE"  # the folder for profiles


class Surroundings(msgspec.Struct, kw_only=True, frozen=True):
    """How root and workers are started on the launcher's machine."""

    python: str = ""  # the interpreter; empty: the launcher's own
    nice: int = 0
    pythonpath: str = ""  # before what PYTHONPATH says
    prolog: str = ""  # a script that is sourced, or a command, before they start
    profile: bool = False


class AsScoop(msgspec.Struct, kw_only=True, frozen=True):
    """That the run's script finds this package under the name ``scoop``, and its constants."""

    size: int
    main_module: str
    level: int  # of scoop.logger
    debug: bool = False


def put_scoop(environment: dict[str, str], scoop: AsScoop | None) -> None:
    """Tell a process that is to be started what ``import scoop`` means in it."""
    environment.pop(SCOOP_VARIABLE, None)  # that of a run whose task starts another run
    if scoop is not None:
        environment[SCOOP_VARIABLE] = msgspec.json.encode(scoop).decode()


def as_scoop() -> AsScoop | None:
    """Return what this process was told of ``scoop``; None: the name means nothing here."""
    text = os.environ.get(SCOOP_VARIABLE)
    return None if text is None else msgspec.json.decode(text, type=AsScoop)
