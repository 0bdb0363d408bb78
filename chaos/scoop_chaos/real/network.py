"""Two "hosts" joined by a wire that can be cut: packets vanish, nothing says so.

Three network namespaces of our own: the run's, the remote workers', and a switch between them, so
that nothing is added to the machine's own network and parallel campaigns do not meet.  A cut drops
what comes in at one port of the switch (a BPF filter that drops everything), each way by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

from .janitor import Janitor, quietly

HOME, AWAY = "home", "away"
ADDRESS: Final = {HOME: "10.79.0.1", AWAY: "10.79.0.2"}
WAIT_S: Final = 1.0
_DROP_ALL: Final = ("bpf", "da", "bytecode", "1,6 0 0 2,")  # return TC_ACT_SHOT
_CONNECT: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), float(sys.argv[2]))
except ConnectionRefusedError:
    print("reached")
except OSError:
    print("silence")
"""


class Network:
    """The two hosts.

    Raises
    ------
    OSError
        They cannot be made here; the text says why.
    """

    def __init__(self, janitor: Janitor) -> None:
        for tool in ("ip", "tc", "nsenter"):
            if shutil.which(tool) is None:
                raise OSError(f"no {tool}")
        if os.geteuid() != 0:
            raise OSError("not root")
        self._name = f"scoopchaos{os.getpid()}"
        self._switch = f"{self._name}switch"
        for where in (HOME, AWAY, "switch"):
            janitor.remember("namespace", self._name + where)
            self._ip("netns", "add", self._name + where)
        self._wire()
        self._try_out()

    def _wire(self) -> None:
        inside = ("-n", self._switch)
        self._ip(*inside, "link", "add", "bridge", "type", "bridge")
        self._ip(*inside, "link", "set", "bridge", "up")
        for where, address in ADDRESS.items():
            host = self._name + where
            self._ip("link", "add", "eth0", "netns", host, "type", "veth",
                     "peer", "name", where, "netns", self._switch)  # fmt: skip
            self._ip(*inside, "link", "set", where, "master", "bridge", "up")
            self._ip("-n", host, "link", "set", "lo", "up")
            self._ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            self._ip("-n", host, "link", "set", "eth0", "up")
            _require("tc", "-n", self._switch, "qdisc", "add", "dev", where, "ingress")

    def _ip(self, *words: str) -> None:
        _require("ip", *words)

    def on(self, where: str) -> list[str]:
        """Return the words with which a command is started on a host."""
        return ["nsenter", f"--net=/run/netns/{self._name}{where}"]

    def cut(self, *sources: str) -> None:
        """Let what these hosts send vanish from now on."""
        for where in sources:
            _require("tc", "-n", self._switch, "filter", "add", "dev", where,
                     "parent", "ffff:", "protocol", "all", *_DROP_ALL)  # fmt: skip

    def slow(self, where: str, rate: str) -> None:
        """Let what a host sends leave it only so fast (``8mbit``) from now on."""
        _require("tc", "-n", self._name + where, "qdisc", "add", "dev", "eth0", "root",
                 "tbf", "rate", rate, "burst", "16kb", "latency", "2s")  # fmt: skip

    def join(self) -> None:
        """Let everything pass again."""
        for where in (HOME, AWAY):
            quietly("tc", "-n", self._switch, "filter", "del", "dev", where, "parent", "ffff:")

    def _reaches(self, where: str) -> bool:
        other = HOME if where == AWAY else AWAY
        command = [*self.on(where), sys.executable, "-c", _CONNECT, ADDRESS[other], str(WAIT_S)]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.strip() == "reached"

    def _try_out(self) -> None:
        """Find out whether it does what it shall, before anything depends on it."""
        if not any(self._reaches(AWAY) for _ in range(3)):  # the bridge learns its ports
            raise OSError("the namespaces do not reach each other")
        self.cut(AWAY)
        dropped = not self._reaches(AWAY)
        self.join()
        if not dropped:
            raise OSError("packets cannot be dropped")


def _require(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(command[:4])}: {done.stderr.strip() or done.returncode}")
