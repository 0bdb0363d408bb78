"""A run directory for who has only a broker's address: made of what the broker says of its run.

Asks once, and says on standard error what it waits for.  Starts no workers.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from ..client.asking import connect
from ..errors import RunError
from ..rundir import DEFAULT_MAX_ATTEMPTS, RunDir, RunInfo, read_keys
from ..surroundings import AsScoop
from ..wire.messages import Refused, Welcome
from . import address

WELCOME_S: Final = 10.0  # for the first answer, unless somebody has said how long it may take
WORTH_SAYING_S: Final = 1.5  # so long nobody wonders
GAVE_UP: Final = 69  # EX_UNAVAILABLE


class NoBroker(RunError):
    """Nobody answers at the address."""


def furnish(home: RunDir, endpoint: str, keys: str | None, patience_s: float) -> None:
    """Make an empty folder a run directory of our own, from the broker's welcome.

    Parameters
    ----------
    home : RunDir
        The folder.
    endpoint : str
        The broker's address.
    keys : str or None
        The folder of the run's keys, or a copy; wanted with a tcp address.
    patience_s : float
        So long an answer is waited for.

    Raises
    ------
    NoBroker
        Nobody has answered.
    RunError
        The address or the keys cannot be used, or the broker refuses.
    """
    address.check(endpoint)
    make_folders(home)
    if keys is not None:
        source = Path(keys, "client.key")
        if not source.exists():
            raise RunError(
                f"{keys} has no client.key: give a copy of the folder 'keys' of the run directory; "
                "it is there once the run was started or resumed with --listen"
            )
        read_keys(source)  # refused under the name that the user knows
        shutil.copy(source, home.keys / "client.key")
    elif endpoint.startswith("tcp://"):
        raise RunError("an address needs --keys DIR: the keys folder of the run directory")
    home.endpoint_file.write_text(endpoint)
    introduce(home, patience_s)


def make_folders(home: RunDir) -> None:
    """Make those folders that are there before anything is known of the run."""
    for folder in (home.logs, home.slates, home.keys):
        folder.mkdir(mode=0o700)


def introduce(home: RunDir, patience_s: float) -> None:
    """Write down what the broker says of the run; raises what `furnish` does."""
    welcome = _ask_welcome(home, patience_s)
    settings = welcome.settings
    home.save_info(
        RunInfo(
            run=welcome.run,
            script=settings.get("script", ""),
            args=list(settings.get("args", [])),
            cwd=os.getcwd(),
            seed=settings.get("seed", 0),
            workers=0,
            python="",
            created=time.time(),
            max_attempts=DEFAULT_MAX_ATTEMPTS,
            path=settings.get("path", ""),
            scoop=_scoop(settings.get("scoop")),
        )
    )


def _scoop(told: dict[str, Any] | None) -> AsScoop | None:
    return None if told is None else msgspec.convert(told, AsScoop)


def _ask_welcome(home: RunDir, patience_s: float) -> Welcome:
    connection = connect(home.endpoint, home.client_keys)
    endpoint = home.endpoint()
    trying = "trying" if patience_s <= WELCOME_S else "waiting for one (Ctrl-C ends this)"
    unknown = address.unresolved(endpoint)
    if unknown:  # a network that is coming up is worth the wait
        until = f" for {WELCOME_S:.0f} s" if patience_s == WELCOME_S else ""
        _say(f"{unknown}; {trying}{until}")
    began, said, closed = time.monotonic(), bool(unknown), False
    try:
        while (waited := time.monotonic() - began) < patience_s:
            if waited >= WORTH_SAYING_S and not said:
                said = True
                _say(f"no broker answers yet at {endpoint}; {trying}")
            connection.poll(min(patience_s if said else WORTH_SAYING_S, waited + 1.0) - waited)
            if closed := connection.ended():
                break
            message, _ = connection.receive() or (None, [])
            if isinstance(message, Welcome):
                return message
            if isinstance(message, Refused):
                raise RunError(f"the broker refused: {message.reason}")
    finally:
        connection.close()
    raise _no_broker(endpoint, closed=closed)


def _no_broker(endpoint: str, *, closed: bool) -> NoBroker:
    """Say why nobody has answered; ``closed``: who listens there has hung up."""
    if why := address.unreached(endpoint):
        return NoBroker(why, GAVE_UP)
    if closed:  # to try again is of no use
        return NoBroker(
            f"who listens at {endpoint} does not know these keys: copy them from the directory of "
            "the run that is served there; each run has its own"
        )
    return NoBroker(
        f"who listens at {endpoint} does not answer: is it a broker, and not stopped?", GAVE_UP
    )


def _say(text: str) -> None:
    print(f"scoop-ft: {text}", file=sys.stderr, flush=True)
