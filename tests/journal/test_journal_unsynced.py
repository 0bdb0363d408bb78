"""Journals written without syncing: processes may die; that the machine has stopped is noticed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from scoop_journal import Journal, JournalUnsynced, Reader, compact, unsynced, verify
from scoop_journal.layout import UNSYNCED_FILE

Spawn = Callable[..., "subprocess.Popen[str]"]


def restart_the_machine(path: Path) -> None:
    """Leave what a machine leaves that has stopped: a mark of a start that is over."""
    note = json.loads((path / UNSYNCED_FILE).read_text())
    (path / UNSYNCED_FILE).write_text(json.dumps({**note, "boot": "before"}))


def killed(path: Path, spawn: Spawn) -> int:
    """Have a writer that syncs nothing killed; return what it has said to be committed."""
    process = spawn("commit_forever.py", path, 3, "unsynced")
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(30)]
    process.kill()
    process.wait()
    return said[-1]


def test_nothing_committed_is_lost_with_the_process(path: Path, spawn: Spawn) -> None:
    Journal.create(path, "a-run").close()
    said = killed(path, spawn)
    assert (path / UNSYNCED_FILE).exists()
    assert verify(path).ok
    with Journal.open(path, synced=False) as journal:
        assert journal.last_seq >= said


def test_with_the_machine_all_is_lost_and_it_says_so(path: Path, spawn: Spawn) -> None:
    Journal.create(path, "a-run").close()
    killed(path, spawn)
    host = json.loads((path / UNSYNCED_FILE).read_text())["host"]
    restart_the_machine(path)
    for open_it in (Journal.open, Reader.open):
        with pytest.raises(JournalUnsynced, match=f"without syncing, and {host} has stopped"):
            open_it(path)
    assert "without syncing" in verify(path).problem
    assert (path / UNSYNCED_FILE).exists()


def test_the_mark_is_there_before_anything_is_written(path: Path) -> None:
    with Journal.create(path, "a-run", synced=False) as journal:
        assert (path / UNSYNCED_FILE).exists()
        journal.append(1, b"record")
        journal.commit()
    assert not (path / UNSYNCED_FILE).exists()


@pytest.mark.parametrize("how", ["opened synced", "compacted"])
def test_what_is_synced_later_is_safe(path: Path, spawn: Spawn, how: str) -> None:
    Journal.create(path, "a-run").close()
    said = killed(path, spawn)
    if how == "compacted":
        compact(path)
        assert not (path / UNSYNCED_FILE).exists()
    with Journal.open(path) as journal:
        assert not (path / UNSYNCED_FILE).exists()
        assert journal.last_seq >= said


def test_starts_that_have_no_name_are_told_apart_by_their_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.mkdir()
    for began, other, lost in ((1000.0, 1059.0, False), (1000.0, 1061.0, True)):
        (path / UNSYNCED_FILE).unlink(missing_ok=True)
        monkeypatch.setattr(unsynced, "this_boot", lambda began=began: str(began))
        unsynced.mark(path)
        monkeypatch.setattr(unsynced, "this_boot", lambda other=other: str(other))
        assert (unsynced.lost_on(path) is not None) is lost
