"""The real thing: an ext4 on a loop device, shut down under a running broker, mounted again.

``EXT4_IOC_SHUTDOWN`` without flushing the log is what a power cut is to the file system: from that
moment on nothing reaches the disk.  The run's directory is on it, the shim's log is not; so what
was promised is known, and compared with what is there afterwards.  Then the run is resumed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import psutil

from scoop_chaos.runs import LIMIT_S, POLL_S, RunFailed, RunProcess, left_in
from scoop_chaos.violations import LIVENESS, Violation

from .check import Checker, Outcome
from .record import Recording, require_answer, start, watched_run

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = struct.pack("I", 2)
_IMAGE_BYTES = 96 << 20
_TOOLS = ("mkfs.ext4", "mount", "umount")


class Cycle(NamedTuple):
    """One cut and what came of it."""

    promised: int
    outcome: Outcome
    found: list[Violation]


class Ext4:
    """A file system in a file, mounted at ``place``."""

    def __init__(self, folder: Path) -> None:
        self._image = folder / "disk.img"
        self.place = folder / "disk"

    def make(self) -> None:
        """Make it and mount it; what is written stays in memory until it is synced."""
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        _do("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it."""
        _do("mount", "-o", "loop,commit=600", str(self._image), str(self.place))

    def unmount(self) -> None:
        """Unmount it, once nobody uses it."""
        deadline = time.monotonic() + LIMIT_S
        while os.path.ismount(self.place):
            done = subprocess.run(["umount", str(self.place)], capture_output=True, text=True)
            if done.returncode and time.monotonic() > deadline:
                raise RunFailed(f"{self.place} stays in use: {done.stderr.strip()}")
            if done.returncode:
                time.sleep(POLL_S)

    def cut_power(self) -> None:
        """From now on nothing reaches the disk."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip() or done.returncode}")


@contextmanager
def ext4(folder: Path) -> Iterator[Ext4]:
    """Make a file system for a while; it is unmounted whatever happens."""
    disk = Ext4(folder)
    try:
        disk.make()
        yield disk
    finally:
        left_in(disk.place, limit=0.0)
        disk.unmount()


def why_not() -> str:
    """Say why this cannot be done on this machine, by trying; empty when it can."""
    if sys.platform != "linux":
        return f"no ext4 on {sys.platform}"
    if os.geteuid():
        return "mounting needs root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with ext4(Path(folder)) as disk:
                disk.cut_power()
        except OSError as error:
            return str(error)
    return ""


def cycle(folder: Path, draw: Random, size: Sequence[int]) -> Cycle:
    """Start a run on a disk of its own, cut the power at some moment, resume.

    Parameters
    ----------
    folder : Path
        An empty folder.
    draw : Random
        Decides about the moment.
    size : sequence of int
        The script's arguments.
    """
    with ext4(folder) as disk:
        run = watched_run(folder)
        try:
            start(run, size, "--run-dir", str(disk.place / "run"))
            _wait_for_log(run, folder / "log", draw.randint(1 << 17, 1 << 20))
            disk.cut_power()
            _wait_for_end_of_broker(run, folder / "log")
        finally:
            run.end()
        left_in(disk.place)
        disk.unmount()
        disk.mount()
        recording = Recording(folder, until_failure=True)
        checker = Checker(folder / "check", recording.history, recording.promises)
        image = (disk.place / "run" / "journal" / "data.mdb").read_bytes()
        outcome = checker.check(image, len(recording.events))
        found = list(outcome.found)
        try:
            require_answer(run.resume(), size)
        except RunFailed as error:
            found.append(Violation(LIVENESS, str(error)))
        finally:
            run.end()
        return Cycle(len(recording.promises.made), outcome, found)


def _wait_for_log(run: RunProcess, logs: Path, size: int) -> None:
    """Wait until the broker has done and said so much."""
    deadline = time.monotonic() + LIMIT_S
    while sum(path.stat().st_size for path in logs.iterdir()) < size:
        if run.has_ended() or time.monotonic() > deadline:
            raise RunFailed(f"the broker did too little: {run.errors[-2000:]}")
        time.sleep(POLL_S)


def _wait_for_end_of_broker(run: RunProcess, logs: Path) -> None:
    """Wait until the first broker has met the dead disk and ended."""
    first = int(min(logs.iterdir()).name.split(".")[-1])
    deadline = time.monotonic() + LIMIT_S
    while psutil.pid_exists(first) and not run.has_ended():
        if time.monotonic() > deadline:
            raise RunFailed(f"the broker lives on a dead disk: {run.errors[-2000:]}")
        time.sleep(POLL_S)
