"""A real OpenSSH server on loopback addresses: to ssh, each is another machine."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

ADDRESSES = ("127.0.0.2", "127.0.0.3")  # to scoop-ft, 127.0.0.1 is this machine
LIMIT_S = 10.0
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _why_not() -> str:
    if SSHD is None or shutil.which("ssh") is None:
        return "no OpenSSH server and client here: apt-get install openssh-server"
    try:
        with socket.socket() as probe:
            probe.bind((ADDRESSES[-1], 0))
    except OSError:
        return f"this system has no loopback address {ADDRESSES[-1]}"
    return ""


@dataclass
class SshServer:
    """A server with a throw-away key, and the options with which it is reached."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def ssh(self) -> str:
        """What --ssh-executable gets."""
        return f"ssh -F {self.folder / 'ssh_config'}"

    @property
    def ssh_with_wrong_key(self) -> str:
        return f"ssh -F {self.folder / 'ssh_config'} -i {self.folder / 'wrong'}"

    def log(self) -> str:
        path = self.folder / "sshd.log"
        return path.read_text() if path.exists() else ""

    def end(self) -> None:
        """End the server; sessions that it has begun stay."""
        self.process.terminate()
        self.process.wait(LIMIT_S)


_SERVER = """\
Port {port}
{listen}
HostKey {folder}/hostkey
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
MaxStartups 100
{more}
"""

_CLIENT = """\
Host *
  Port {port}
  User {user}
  {identity}
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
  ConnectTimeout 5
  LogLevel ERROR
"""


def start_server(
    folder: Path,
    more: str = "",
    addresses: tuple[str, ...] = ADDRESSES,
    prefix: tuple[str, ...] = (),
) -> SshServer:
    """Start a server on a port of its own; the prefix puts it on another machine."""
    assert SSHD is not None
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # as its package demands
    for name in ("hostkey", "id", "wrong"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    shutil.copy(folder / "id.pub", folder / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listen = "\n".join(f"ListenAddress {address}" for address in addresses)
    (folder / "sshd_config").write_text(
        _SERVER.format(port=port, listen=listen, folder=folder, more=more)
    )
    for name, identity in (("ssh_config", f"IdentityFile {folder}/id"), ("no_key_config", "")):
        (folder / name).write_text(
            _CLIENT.format(port=port, user=getpass.getuser(), folder=folder, identity=identity)
        )
    kind, key = (folder / "hostkey.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(
        "".join(f"[{address}]:{port} {kind} {key}\n" for address in addresses)
    )
    process = subprocess.Popen(
        [*prefix, SSHD, "-D", "-f", folder / "sshd_config", "-E", folder / "sshd.log"],
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + LIMIT_S
    one = SshServer(folder, port, process)
    while one.log().count("Server listening on") < len(addresses):
        assert process.poll() is None, one.log()
        assert time.monotonic() < deadline, f"sshd does not listen: {one.log()}"
        time.sleep(0.02)
    return one


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """The server of all tests that do not end it."""
    if why := _why_not():
        pytest.skip(why)
    one = start_server(tmp_path_factory.mktemp("sshd"))
    yield one
    one.end()


class HostsRun(RunProcess):
    """A run on machines behind the server."""

    server: SshServer

    def on(self, hosts: str, *words: str, ssh: str = "") -> HostsRun:
        """Start ``scoop-ft run`` on hosts; the words follow."""
        self.start("--ssh-executable", ssh or self.server.ssh, "--hosts", *hosts.split(), *words)
        return self

    def script(self, text: str, name: str = "script.py") -> str:
        """Write a script; return its name."""
        (self.folder / name).write_text(text)
        return name


@pytest.fixture
def run(tmp_path: Path, nothing_left: None, server: SshServer) -> Iterator[HostsRun]:
    """A run in the test's folder, not started yet."""
    here = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    one = HostsRun(tmp_path, here)
    one.server = server
    yield one
    one.end()
