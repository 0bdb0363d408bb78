"""Which machines are meant: words of the command line, a hostfile, a batch job's own list.

Reads; decides nothing about workers but what is written there.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ...errors import RunError
from ...machines import Machine

_NAME: Final = re.compile(r"[^\s\-\[\],=/#][^\s\[\],=/#]*")
_WITH_COUNT: Final = re.compile(r"([^:]+):(\d+)")  # as MPICH writes it; IPv6 has more colons
_COUNT: Final = re.compile(r"(?:[A-Za-z_]+=)?(\d+)")  # "4", and "slots=4" as others write it
_TASKS: Final = re.compile(r"(\d+)(?:\(x(\d+)\))?")  # of SLURM_TASKS_PER_NODE: "2(x3),1"
_MOST: Final = 100_000


def is_here(name: str) -> bool:
    """Tell whether a name means this machine, and this user on it."""
    own = socket.gethostname()
    return name in {"localhost", "127.0.0.1", "::1", own, own.partition(".")[0], socket.getfqdn()}


def from_words(words: Sequence[str]) -> list[Machine]:
    """Return the machines of ``--hosts``; one that is named twice gets two workers."""
    times = Counter(_name(word, "--hosts") for word in words)
    counted = any(count > 1 for count in times.values())
    return [Machine(name=name, count=times[name] if counted else 0) for name in times]


def from_file(path: str) -> list[Machine]:
    """Return the machines of a hostfile: lines of a name and, maybe, of how many workers."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise RunError(f"cannot read the hostfile {path}: {why}") from error
    found = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words:
            found.append(_line(words, f"{path}, line {number}"))
    return _added_up(found, f"the hostfile {path}")


def _line(words: list[str], where: str) -> Machine:
    name = _name(words[0], where)
    if len(words) == 1:
        return Machine(name=name)
    count = _COUNT.fullmatch(words[1])
    if len(words) > 2 or count is None or not 0 < int(count[1]) <= _MOST:
        raise RunError(f"{where}: a line is 'name' or 'name count', not '{' '.join(words)}'")
    return Machine(name=name, count=int(count[1]), limit=True)


def _name(word: str, where: str) -> str:
    if "[" in word:
        raise RunError(f"{where}: name each machine by itself, not {word}")
    if counted := _WITH_COUNT.fullmatch(word):
        raise RunError(
            f"{where}: '{word}' is no name; how many workers a machine has is said in a hostfile, "
            f"behind a space: '{counted[1]} {counted[2]}'"
        )
    if not _NAME.fullmatch(word):
        raise RunError(f"{where}: '{word}' is not the name of a machine")
    return word


def _added_up(found: list[Machine], where: str) -> list[Machine]:
    """Bring the lines of one machine together."""
    if not found:
        raise RunError(f"{where} names no machine")
    result: dict[str, Machine] = {}
    for one in found:
        before = result.get(one.name)
        if before is not None and not (before.count and one.count):
            raise RunError(f"{where} names {one.name} twice: say once how many workers it has")
        count = one.count + (before.count if before else 0)
        result[one.name] = Machine(name=one.name, count=count, limit=one.limit)
    return list(result.values())


# ---- what batch systems say ---------------------------------------------------------------------


def of_job(environ: Mapping[str, str] = os.environ) -> list[Machine]:
    """Return the machines that Slurm, PBS or Grid Engine has given to this job."""
    if "SLURM_JOB_NODELIST" in environ:
        return _of_slurm(environ)
    for variable, read in (("PBS_NODEFILE", _of_pbs), ("PE_HOSTFILE", _of_grid_engine)):
        if path := environ.get(variable):
            try:
                with open(path, encoding="utf-8") as file:
                    lines = [line.split() for line in file if line.strip()]
                return _added_up(list(read(lines)), f"{variable} ({path})")
            except (OSError, ValueError, IndexError) as error:
                raise RunError(f"cannot read {path}, which {variable} names: {error}") from error
    raise RunError(
        "--job-hosts: this is no job of Slurm, PBS or Grid Engine (none of SLURM_JOB_NODELIST, "
        "PBS_NODEFILE, PE_HOSTFILE is set): name the machines with --hosts or --hostfile"
    )


def _of_pbs(lines: list[list[str]]) -> Iterable[Machine]:
    """Each line is a place for one worker."""
    return (Machine(name=_name(words[0], "PBS_NODEFILE"), count=1, limit=True) for words in lines)


def _of_grid_engine(lines: list[list[str]]) -> Iterable[Machine]:
    """Each line is a name, how many places it has, and more."""
    for name, count, *_ in lines:
        yield Machine(name=_name(name, "PE_HOSTFILE"), count=int(count), limit=True)


def _of_slurm(environ: Mapping[str, str]) -> list[Machine]:
    """Slurm's own command knows how it shortens lists of names."""
    command = ["scontrol", "show", "hostnames", environ["SLURM_JOB_NODELIST"]]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RunError(f"cannot ask Slurm for this job's machines: {error}") from error
    names = said.stdout.split()
    tasks = environ.get("SLURM_TASKS_PER_NODE", "")
    counts = [
        int(count)
        for count, times in _TASKS.findall(tasks)
        for _ in range(int(times or 1))
    ]  # fmt: skip
    if len(counts) != len(names):
        raise RunError(
            f"Slurm names {len(names)} machines, but SLURM_TASKS_PER_NODE is '{tasks}': "
            "name the machines with --hostfile"
        )
    pairs = zip(names, counts, strict=True)
    return [Machine(name=name, count=count, limit=True) for name, count in pairs]
