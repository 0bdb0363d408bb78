"""The launcher's lock: held by one, and released by the kernel."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scoop_journal import Journal, JournalError, verify

from scoop_ft.errors import RunError
from scoop_ft.launch.lock import RunLock, is_locked
from scoop_ft.rundir import RunDir


def test_one_launcher_at_a_time(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert not is_locked(run)
    lock = RunLock(run)
    lock.acquire()
    assert is_locked(run)
    with pytest.raises(RunError, match="is open in this program already"):
        RunLock(run).acquire(patience_s=0)
    lock.release()
    assert not is_locked(run)
    again = RunLock(run)
    again.acquire()
    again.release()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys; from scoop_ft.rundir import RunDir; from scoop_ft.launch.lock import RunLock;"
        "lock = RunLock(RunDir(sys.argv[1])); lock.acquire();"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(RunDir(tmp_path))
        holder.kill()
        holder.wait()
        assert not is_locked(RunDir(tmp_path))


def test_where_nothing_can_be_locked_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems know no locks: nobody can tell there who else is at work."""
    import fcntl

    def refuse(fd: object, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    run = RunDir(tmp_path)
    Journal.create(run.journal, "a-run").close()
    run.lock.touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    said = r"cannot be locked \(No locks available\).*local disk"
    with pytest.raises(RunError, match=said):
        RunLock(run).acquire()
    with pytest.raises(RunError, match=said):
        is_locked(run)
    with pytest.raises(JournalError, match=said):
        Journal.open(run.journal)
    with pytest.raises(JournalError, match=said):
        verify(run.journal)
