"""A small file system in memory that can be filled up and freed: where a run directory lies."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Final

from .janitor import Janitor

FILLER: Final = "filler"
PIECE: Final = 64 << 10


class SmallDisk:
    """A tmpfs.

    Parameters
    ----------
    janitor : Janitor
    place : Path
        An empty folder, to mount it on.
    size_mb : int

    Raises
    ------
    OSError
        It cannot be mounted here.
    """

    def __init__(self, janitor: Janitor, place: Path, size_mb: int) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        janitor.remember("mount", str(place))
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise OSError("no mount") from error
        if done.returncode:
            raise OSError(done.stderr.strip())
        (place / "run").mkdir(mode=0o700)

    @property
    def run_dir(self) -> Path:
        """Where the run directory is to be."""
        return self.place / "run"

    def fill(self) -> None:
        """Use up all the room there is."""
        descriptor = os.open(self.place / FILLER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in (PIECE, 1 << 12):
                _write_until_full(descriptor, bytes(size))
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give the room back."""
        (self.place / FILLER).unlink(missing_ok=True)

    def unmount(self) -> None:
        """Give it up; whoever fails to is helped by the janitor."""
        subprocess.run(["umount", str(self.place)], capture_output=True)


def _write_until_full(descriptor: int, piece: bytes) -> None:
    try:
        while os.write(descriptor, piece):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
