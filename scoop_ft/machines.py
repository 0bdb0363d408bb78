"""Which machines a run uses and how it reaches them, as ``run.json`` records it.

Plain values; what is done with them is in `scoop_ft.launch.hosts`.
"""

from __future__ import annotations

import msgspec


class Machine(msgspec.Struct, kw_only=True, frozen=True):
    """A machine that was named.

    Attributes
    ----------
    name : str
        As ssh takes it: ``node7``, ``ann@node7``.
    count : int
        Workers there; 0: one for each of its cores.
    limit : bool
        ``-n`` may ask for less than ``count``, but not for more.
    """

    name: str
    count: int = 0
    limit: bool = False


class Machines(msgspec.Struct, kw_only=True):
    """All machines of a run.

    Attributes
    ----------
    named : list of Machine
        In order; this one may be among them.
    total : int
        What ``-n`` said; 0: nothing.
    path, external_hostname, tunnel, ssh, python, pythonpath, prolog, nice
        What the options of these names said; empty: nothing.
    listen : str
        Where the broker listens for them, chosen at each launch.
    """

    named: list[Machine]
    total: int = 0
    path: str = ""
    external_hostname: str = ""
    tunnel: bool = False
    ssh: str = "ssh"
    python: str = ""
    pythonpath: str = ""
    prolog: str = ""
    nice: int | None = None
    listen: str = ""
