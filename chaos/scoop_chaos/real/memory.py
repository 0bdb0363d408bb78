"""A memory limit for one process: it is killed by the kernel when it uses more than it has now.

By the memory controller of cgroup v1.  An address-space limit (RLIMIT_AS) would make a MemoryError
of it, which is the script's business, and not kill anybody.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import psutil

from .janitor import Janitor, remove

ROOM_BYTES: Final = 8 << 20


class MemoryLimits:
    """Puts processes under limits, each in a group of its own.

    Raises
    ------
    OSError
        That cannot be done here.
    """

    def __init__(self, janitor: Janitor) -> None:
        self._janitor = janitor
        self._groups: list[Path] = []
        self._root = _controller()
        probe = self._make()
        self.remove(probe)

    def _make(self) -> Path:
        group = self._root / f"scoop-chaos-{os.getpid()}-{len(self._groups)}"
        self._groups.append(group)
        self._janitor.remember("cgroup", str(group))
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(ROOM_BYTES))
        return group

    def limit(self, pid: int) -> Path:
        """Let a process use a little more memory, and not much; return its group."""
        group = self._make()
        (group / "cgroup.procs").write_text(str(pid))
        return group

    def remove(self, group: Path) -> None:
        """Lift a limit, and forget the group."""
        for pid in (group / "cgroup.procs").read_text().split():
            (self._root / "cgroup.procs").write_text(pid)
        remove("cgroup", str(group))


def _controller() -> Path:
    for mount in psutil.disk_partitions(all=True):
        if mount.fstype == "cgroup" and "memory" in mount.opts.split(","):
            if not os.access(mount.mountpoint, os.W_OK):
                raise OSError("the memory controller cannot be used: not root")
            return Path(mount.mountpoint)
    raise OSError("no memory controller of cgroup v1")
