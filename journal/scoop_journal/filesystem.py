"""Which file system a folder is on, whether LMDB is safe there, how much room it has; syncing.

LMDB needs one coherent memory map and working locks.  Networked and user-space file systems promise
neither, even between processes of one host, so they are refused by name.

A broker's start waits for this module: what takes time to import is imported where it is needed.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from .errors import UnsafeFilesystem

#: A type is unsafe when it is one of these or begins with one of the prefixes.
# fmt: off
_UNSAFE: Final = frozenset(
    {
        "9p", "acfs", "afs", "beegfs", "beegfs_nodev", "ceph", "cifs", "coda", "cvmfs", "dvs",
        "fhgfs", "fuse", "gfs2", "glusterfs", "gpfs", "lustre", "mfs", "mmfs", "ncpfs", "ocfs2",
        "orangefs", "osxfs", "panfs", "prl_fs", "pvfs2", "sshfs", "vboxsf", "virtiofs",
        "vmhgfs", "webdav", "wekafs",
    }
)
# fmt: on
_UNSAFE_PREFIXES: Final = ("nfs", "smb", "fuse.")
#: User space, but on a block device of this machine.
_SAFE: Final = frozenset({"fuseblk"})


class Mount(NamedTuple):
    """Where a file system is mounted, and what it is."""

    mountpoint: str
    fstype: str


def all_mounts() -> list[Mount]:
    """Return everything that is mounted, in the order in which it was."""
    if sys.platform != "linux":
        import psutil

        return [Mount(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        fields = [line.split(" ") for line in file]
    return [Mount(_unescaped(point), _unescaped(fstype)) for _, point, fstype, *_ in fields]


def _unescaped(text: str) -> str:
    """The kernel writes blanks, tabs, line ends and backslashes as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def existing_parent(path: Path) -> Path:
    """Find the nearest folder of ``path`` (itself included) that exists, links resolved."""
    path = Path(os.path.realpath(path))
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def mount_of(path: Path, mounts: Iterable[Mount]) -> Mount | None:
    """Find the mount that holds an absolute path: the longest one, the last of equal ones."""
    best: Mount | None = None
    for mount in mounts:
        point = Path(mount.mountpoint)
        within = path == point or point in path.parents
        if within and (best is None or len(point.parts) >= len(Path(best.mountpoint).parts)):
            best = mount
    return best


def is_unsafe(fstype: str) -> bool:
    """Whether LMDB must not be used on a file system of this type."""
    name = fstype.lower()
    if name in _SAFE:
        return False
    return name in _UNSAFE or name.startswith(_UNSAFE_PREFIXES)


def require_safe(path: Path, mounts: Iterable[Mount] | None = None) -> None:
    """Refuse a folder on a networked file system.

    Raises
    ------
    UnsafeFilesystem
        With the mount's name and the way out.
    """
    if mounts is None:
        mounts = all_mounts()
    mount = mount_of(existing_parent(path), mounts)
    if mount is not None and is_unsafe(mount.fstype):
        raise UnsafeFilesystem(
            f"{path} is on {mount.mountpoint} ({mount.fstype}), where a journal can be damaged; "
            "put the run on a local disk, such as a folder in $TMPDIR"
        )


def free_bytes(path: Path) -> int:
    """How many bytes an ordinary user can still store beside ``path``."""
    if hasattr(os, "statvfs"):
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize
    import shutil

    return shutil.disk_usage(path).free


def total_bytes(path: Path) -> int:
    """How large the file system is."""
    if hasattr(os, "statvfs"):
        found = os.statvfs(path)
        return found.f_blocks * found.f_frsize
    import shutil

    return shutil.disk_usage(path).total


def can_store(folder: Path, size: int) -> bool:
    """Try whether ``size`` bytes find room: quotas and limits count, not only free space."""
    if free_bytes(folder) < size:
        return False
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            allocate(probe.fileno(), size)
    except OSError as error:
        if is_no_room(error.errno):
            return False
        raise
    return True


def allocate(fd: int, size: int) -> None:
    """Make a file own ``size`` bytes of the disk, or raise ``OSError``."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    block = bytes(1 << 20)
    for start in range(0, size, len(block)):
        os.write(fd, block[: size - start])
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Sync what a folder says about its files."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def largest_file_bytes() -> int | None:
    """How large this process may make a file; None: as large as the disk has room for."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def is_no_room(code: int | None) -> bool:
    """Whether an error number says that there is no room (or no more allowed)."""
    return code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
