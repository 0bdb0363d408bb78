"""What the options that name other machines make of a run: its record in ``run.json``."""

from __future__ import annotations

import os
import shlex
import socket
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from ...errors import RunError
from ...machines import Machine, Machines
from ...rundir import RunInfo
from ..processes import usable_cores
from ..surround import Asked
from . import names, shares
from .line import random_port

_RECORDED: Final = {  # what an option is called in the record
    "path": "path",
    "external_hostname": "external_hostname",
    "tunnel": "tunnel",
    "ssh_executable": "ssh",
    "python_interpreter": "python",
    "pythonpath": "pythonpath",
    "prolog": "prolog",
    "nice": "nice",
}
_FOR_OTHERS: Final = ("path", "external_hostname", "tunnel", "ssh_executable")


@dataclass(frozen=True)
class Said:
    """What the command line says of machines; empty or None where it does not."""

    hosts: tuple[str, ...] = ()
    hostfile: str | None = None
    job_hosts: bool = False
    path: str | None = None
    external_hostname: str | None = None
    tunnel: bool | None = None
    ssh_executable: str | None = None
    python_interpreter: str | None = None
    pythonpath: str | None = None
    prolog: str | None = None
    nice: int | None = None


def with_asked(said: Said, asked: Asked) -> Said:
    """Add what is said of the script's surroundings: it holds on other machines, too."""
    return replace(
        said,
        python_interpreter=asked.python_interpreter,
        pythonpath=asked.pythonpath,
        prolog=asked.prolog,
        nice=asked.nice,
    )


def asked_here(info: RunInfo, asked: Asked) -> Asked:
    """Return what holds here: a Python or prolog that only other machines have is left out."""
    if info.machines is None or not shares.elsewhere(info.machines):
        return asked
    import shutil

    python, prolog = asked.python_interpreter, asked.prolog
    return replace(
        asked,
        python_interpreter=python if python and shutil.which(os.path.expanduser(python)) else None,
        prolog=None if prolog and os.path.isabs(prolog) and not os.path.exists(prolog) else prolog,
    )


def workers_in_all(info: RunInfo) -> int:
    """Return how many workers a run has; where nobody has said it, as if all were as this one."""
    if info.machines is None:
        return info.workers
    away = shares.elsewhere(info.machines)
    return info.workers + sum(share.workers or usable_cores() for share in away)


def settle(info: RunInfo, said: Said, workers: int | None) -> list[str]:
    """Write into a run's record which machines it uses, and how many workers are here.

    What is not said stays as it was.

    Parameters
    ----------
    info : RunInfo
        The record, changed here.
    said : Said
        The options.
    workers : int or None
        What ``-n`` says.

    Returns
    -------
    list of str
        Lines that the user should read.
    """
    machines = _machines(info, said)
    if machines is None:
        return []
    if workers is not None:
        machines.total = workers
    info.machines = machines
    info.workers = shares.here(machines, usable_cores())
    if shares.elsewhere(machines):
        _check_ssh(machines.ssh)
    most = shares.most(machines.named)
    if most and machines.total > most:
        return [f"-n {machines.total}: the machines have room for {most} workers: {most} it is"]
    return []


def _machines(info: RunInfo, said: Said) -> Machines | None:
    named = _named(said)
    before = info.machines
    given = {
        recorded: value
        for name, recorded in _RECORDED.items()
        if (value := getattr(said, name)) is not None
    }
    if named is None and before is None:
        for name in _FOR_OTHERS:
            if _RECORDED[name] in given:
                option = name.replace("_", "-")
                raise RunError(f"--{option} is for other machines: name them with --hosts")
        return None
    base = before or Machines(named=[])
    if named is not None:
        given |= {"named": named, "total": 0}
    return msgspec.structs.replace(base, **given)


def _named(said: Said) -> list[Machine] | None:
    ways = [bool(said.hosts), said.hostfile is not None, said.job_hosts]
    if sum(ways) > 1:
        raise RunError("--hosts, --hostfile and --job-hosts exclude each other: give one of them")
    if said.hosts:
        return names.from_words(said.hosts)
    if said.hostfile is not None:
        return names.from_file(said.hostfile)
    return names.of_job() if said.job_hosts else None


def _check_ssh(command: str) -> None:
    import shutil

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise RunError(f"--ssh-executable {command}: {error}") from error
    if not words or shutil.which(words[0]) is None:
        raise RunError(
            f"there is no command {words[0] if words else 'of an empty name'} here to reach other "
            "machines with: install OpenSSH's client, or name it with --ssh-executable"
        )


def choose_listen(info: RunInfo) -> None:
    """Choose where the broker listens for workers of other machines, in this launch.

    With a tunnel, nobody from outside can connect.  What ``--listen`` says is used as it is.
    """
    machines = info.machines
    if machines is None or not shares.elsewhere(machines):
        return
    if info.listen and not machines.tunnel:
        machines.listen = ""
        return
    host = "127.0.0.1" if machines.tunnel else "0.0.0.0"
    machines.listen = f"tcp://{host}:{_free_port(host)}"


def _free_port(host: str) -> int:
    while True:
        port = random_port()
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
