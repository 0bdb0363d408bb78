"""The command line by which ssh starts an agent on another machine.  Starts nothing.

Whatever the user's shell there is, it is given one quoted command for a plain one.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import Final

from ...machines import Machines

AGENT: Final = "scoop_ft.launch.hosts.agent"
CONNECT_S: Final = 15
ALIVE_S: Final = 5
_LOWEST_PORT: Final = 20_000  # below what systems give to outgoing connections
_HIGHEST_PORT: Final = 32_000
_ANY: Final = ("0.0.0.0", "*", "[::]")

# Nobody can answer a question, and the connection is for this run alone.  What --ssh-executable
# says itself comes first, and counts.
_OPTIONS: Final = (
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_S}",
    f"ServerAliveInterval={ALIVE_S}",
    "ServerAliveCountMax=3",
    "ControlPath=none",
    "RemoteCommand=none",
    "ForwardAgent=no",
    "ForwardX11=no",
)


@dataclass(frozen=True)
class Line:
    """A command, and where the broker is to be found from there."""

    command: list[str]
    address: str


def build(machines: Machines, name: str, listen: str) -> Line:
    """Return how the agent of a machine is started.

    Parameters
    ----------
    machines : Machines
        What is said of all of them.
    name : str
        The machine.
    listen : str
        Where the broker listens.
    """
    host, _, port = listen.removeprefix("tcp://").rpartition(":")
    options = [f"-o{option}" for option in _OPTIONS]
    known = "" if host in _ANY else host  # else there, from where ssh comes
    address = f"tcp://{_bracketed(machines.external_hostname) or known}:{port}"
    if machines.tunnel:
        there = random_port()
        address = f"tcp://127.0.0.1:{there}"
        options += ["-oExitOnForwardFailure=yes", "-R", f"127.0.0.1:{there}:127.0.0.1:{port}"]
    else:
        options.append("-oClearAllForwardings=yes")
    command = [*shlex.split(machines.ssh), "-T", *options, name, there_command(machines)]
    return Line(command, address)


def _bracketed(host: str) -> str:
    """Write an IPv6 address as it stands before a port."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def there_command(machines: Machines) -> str:
    """Return what the shell there is to do."""
    words = ["exec"]
    if machines.nice is not None:
        words += ["nice", "-n", str(machines.nice)]
    if machines.pythonpath:
        before = '"${PYTHONPATH:+:}$PYTHONPATH"'
        words += ["env", f"PYTHONPATH={_path(machines.pythonpath)}{before}"]
    words += [_path(python(machines)), "-m", AGENT]
    steps = ["cd /", " ".join(words)]  # a file of the home folder must not pass for a module
    if machines.prolog:
        steps.insert(0, _sourced(machines.prolog))
    shell = "bash" if machines.prolog else "sh"
    return f"exec {shell} -c {shlex.quote(' && '.join(steps))}"


def _sourced(prolog: str) -> str:
    """Return what a shell does first: source a file, or run a command where there is none."""
    path = _path(prolog)
    return f"{{ if [ -f {path} ]; then . {path}; else {prolog}; fi; }} </dev/null >&2"


def python(machines: Machines) -> str:
    """Return which Python is started there."""
    return machines.python or sys.executable


def _path(text: str) -> str:
    """Quote a path; the home folder is the one there."""
    if text.startswith("~/"):
        return '"$HOME"/' + shlex.quote(text[2:])
    return shlex.quote(text)


def random_port() -> int:
    """Return a port that is probably free."""
    import secrets

    return _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)
