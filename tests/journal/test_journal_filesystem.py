"""Where a journal may be: the table of file systems, and which mount a folder is on."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
from scoop_journal import Journal, Reader, UnsafeFilesystem, filesystem
from scoop_journal.filesystem import Mount

# fmt: off
UNSAFE = [
    "nfs", "nfs3", "nfs4", "NFS", "lustre", "gpfs", "beegfs", "fhgfs", "fuse", "fuse.sshfs",
    "fuse.gpfs", "fuse.glusterfs", "9p", "cifs", "smb", "smbfs", "smb2", "smb3", "afs", "ceph",
    "dvs", "panfs", "gfs2", "ocfs2", "virtiofs", "vboxsf", "webdav",
]
SAFE = [
    "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "apfs", "hfs", "ufs", "f2fs",
    "ramfs", "bcachefs", "devtmpfs",
]
# fmt: on


@pytest.mark.parametrize("fstype", UNSAFE)
def test_unsafe(fstype: str) -> None:
    assert filesystem.is_unsafe(fstype)


@pytest.mark.parametrize("fstype", SAFE)
def test_safe(fstype: str) -> None:
    assert not filesystem.is_unsafe(fstype)


MOUNTS = [
    Mount("/", "ext4"),
    Mount("/home", "nfs4"),
    Mount("/home/me/scratch", "xfs"),
    Mount("/homes", "ext4"),
    Mount("/data", "ext4"),
    Mount("/data", "lustre"),
]


@pytest.mark.parametrize(
    ("path", "fstype"),
    [
        ("/", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/run", "nfs4"),
        ("/home/me/scratch/run", "xfs"),
        ("/homes/me", "ext4"),
        ("/homework", "ext4"),
        ("/data/run", "lustre"),
    ],
)
def test_the_longest_and_last_mount_counts(path: str, fstype: str) -> None:
    mount = filesystem.mount_of(Path(path), MOUNTS)
    assert mount is not None
    assert mount.fstype == fstype
    assert filesystem.mount_of(Path(path), []) is None


def test_refused_by_name_with_the_way_out(tmp_path: Path) -> None:
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path), "nfs4")]
    with pytest.raises(UnsafeFilesystem, match=r"\(nfs4\).*local disk"):
        filesystem.require_safe(tmp_path / "not" / "there" / "yet", mounts)


def test_all_mounts_are_those_that_psutil_knows() -> None:
    there = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    assert filesystem.all_mounts() == there
    assert there


@pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel's own list is read")
def test_blanks_in_mount_points_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = tmp_path / "mounts"
    listed.write_text(r"server:/a\040b /mnt/a\040b\134c nfs4 rw 0 0" + "\n")
    monkeypatch.setattr("builtins.open", lambda _, **how: listed.open(**how))
    assert filesystem.all_mounts() == [("/mnt/a b\\c", "nfs4")]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "net")
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path / "net"), "cifs")]
    with pytest.raises(UnsafeFilesystem):
        filesystem.require_safe(tmp_path / "link" / "run", mounts)


def test_everyone_asks_and_can_be_told_to_go_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "all_mounts", lambda: [Mount("/", "fuse.sshfs")])
    with pytest.raises(UnsafeFilesystem):
        Journal.create(path, "a-run")
    assert not path.exists()
    Journal.create(path, "a-run", unsafe_filesystem=True).close()
    with pytest.raises(UnsafeFilesystem):
        Journal.open(path)
    with pytest.raises(UnsafeFilesystem):
        Reader.open(path)
    Journal.open(path, unsafe_filesystem=True).close()
    Reader.open(path, unsafe_filesystem=True).close()
