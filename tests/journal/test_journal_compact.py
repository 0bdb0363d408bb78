"""A compacted journal holds the same in a smaller file, whenever its compaction is ended."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scoop_journal import (
    Journal,
    JournalDamaged,
    JournalFull,
    JournalLocked,
    JournalMissing,
    Reader,
    compact,
    is_worthwhile,
    packing,
    verify,
)
from scoop_journal import compact as public
from scoop_journal.filesystem import free_bytes

Spawn = Callable[..., "subprocess.Popen[str]"]


def contents(path: Path) -> tuple[Any, ...]:
    """Return all that a journal holds."""
    with Reader.open(path) as reader:
        records = [
            (seq, r.kind, r.header, bytes(r.payload), [bytes(b) for b in r.buffers])
            for seq, r in reader.scan()
        ]
        return reader.meta, records, dict(reader.blobs())


def a_loose_journal(path: Path, records: int = 3000) -> None:
    """Make a journal of which most was deleted."""
    with Journal.create(path, "a-run") as journal:
        for number in range(records):
            journal.append(1, b"%d" % number, b"x" * 1000, [b"y" * 5000] if number % 7 == 0 else ())
        journal.put_blob(b"name", b"value")
        journal.commit()
        journal.delete(1, journal.last_seq - 200)
        journal.commit()


def test_it_holds_the_same_and_is_as_small_as_that(path: Path) -> None:
    a_loose_journal(path)
    before = contents(path)
    with Reader.open(path) as reader:
        size, live = reader.size_bytes, reader.live_bytes
    assert size > 10 * live
    assert is_worthwhile(size, live)
    done = compact(path)
    assert done.before_bytes == size
    assert done.after_bytes == (path / "data.mdb").stat().st_size <= live + 8 * 4096
    assert sorted(p.name for p in path.iterdir()) == ["data.mdb", "owner.lock", "reserve"]
    assert contents(path) == before
    assert verify(path).ok
    with Journal.open(path) as journal:  # numbers go on where they were
        assert journal.append(1, b"next") == before[0].next_seq
        journal.commit()
        assert journal.live_bytes <= journal.size_bytes
    assert (path / "data.mdb").stat().st_mode & 0o777 == 0o600


def test_half_empty_pages_are_filled(path: Path) -> None:
    """Records that have left between others leave pages in use that hold little."""
    with Journal.create(path, "a-run") as journal:
        for number in range(20_000):
            journal.append(1, b"%d" % number, b"x" * 150)
        journal.commit()
        for number in range(20_000):
            if number % 3:
                journal.delete(number + 1)
        journal.commit()
    before = contents(path)
    with Reader.open(path) as reader:
        size, live, needed = reader.size_bytes, reader.live_bytes, reader.needed_bytes()
    assert live > 1.5 * needed
    assert is_worthwhile(size, needed)
    done = compact(path)
    assert contents(path) == before
    assert needed / 1.1 <= done.after_bytes <= needed * 1.1
    with Reader.open(path) as reader:
        assert reader.size_bytes <= 1.1 * reader.live_bytes


def test_what_takes_many_transactions_is_packed_as_well(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_loose_journal(path)
    before = contents(path)
    monkeypatch.setattr(packing, "_LOAD_BYTES", 10_000)
    compact(path)
    assert contents(path) == before
    assert verify(path).ok


def test_what_is_in_use_is_known_while_it_is_written(path: Path) -> None:
    with Journal.create(path, "a-run") as journal:
        first = journal.live_bytes
        journal.append(1, b"", b"x" * 1_000_000)
        journal.commit()
        assert first + 1_000_000 <= journal.live_bytes <= first + 1_020_000
        journal.delete(1)
        journal.commit()
        assert journal.live_bytes <= first + 4096
        assert journal.size_bytes > 1_000_000


@pytest.mark.parametrize(
    ("size", "live", "worth"),
    [
        (256 << 10, 4096, False),
        ((260 << 10) + 1, 4096, True),
        (120_000_000, 100_000_000, False),
        (120_000_001, 100_000_000, True),
    ],
)
def test_it_is_done_unasked_only_where_it_gives_something_back(
    size: int, live: int, worth: bool
) -> None:
    assert is_worthwhile(size, live) is worth


def test_it_is_refused_while_a_writer_is_at_work(path: Path) -> None:
    a_loose_journal(path)
    with Journal.open(path) as journal:
        with pytest.raises(JournalLocked, match="belongs to process"):
            compact(path)
        journal.append(1, b"more")
        journal.commit()


def test_a_damaged_one_is_refused_and_not_touched(path: Path) -> None:
    a_loose_journal(path)
    with Journal.open(path) as journal:
        journal.append(1, b"the only page that says this")
        journal.commit()
    data = path / "data.mdb"
    whole = bytearray(data.read_bytes())
    whole[whole.index(b"the only page that says this")] ^= 1
    data.write_bytes(whole)
    with pytest.raises(JournalDamaged):
        compact(path)
    assert data.read_bytes() == whole
    with pytest.raises(JournalMissing):
        compact(path / "not there")


def test_who_reads_meanwhile_goes_on_reading(path: Path) -> None:
    a_loose_journal(path)
    before = contents(path)
    with Reader.open(path) as reader:
        scan = reader.scan()
        next(scan)
        done = subprocess.run(
            ["python", "-c", f"import scoop_journal; scoop_journal.compact({str(path)!r})"],
            capture_output=True, text=True, env={**os.environ, "PATH": _bin()},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(list(scan)) + 1 == len(before[1])
        with Journal.open(tmp_copy(path)) as other:
            other.append(1, b"unseen by the reader")
            other.commit()
        assert len(list(reader.scan())) == len(before[1])
    assert contents(path) == before


def _bin() -> str:
    import sys

    return os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]


def tmp_copy(path: Path) -> Path:
    """Copy a journal's data file, as people do."""
    other = path.with_name("other")
    other.mkdir()
    shutil.copy(path / "data.mdb", other)
    return other


def test_killed_at_each_step_it_leaves_one_good_journal(
    path: Path, tmp_path: Path, spawn: Spawn
) -> None:
    a_loose_journal(path, 300)
    before = contents(path)
    original = (path / "data.mdb").read_bytes()
    outcomes = set()
    for step in range(1, 200):
        process = spawn("compact_until.py", path, step)
        said, _ = process.communicate(timeout=60)
        if said == "done\n":
            break
        assert process.returncode == -9
        small = (path / "data.mdb").stat().st_size < len(original)
        outcomes.add(small)
        assert contents(path) == before
        with Journal.open(path) as journal:  # whoever comes next cleans up
            journal.append(1, b"goes on")
            journal.close()
        assert not (path / "compact").exists()
        (path / "data.mdb").write_bytes(original)
        (path / "lock.mdb").unlink(missing_ok=True)
    else:
        raise AssertionError("it does not end")
    assert outcomes == {False, True}, "it was never killed before, or never after the renaming"
    assert step > 10


def test_the_copy_is_synced_before_and_its_name_after_it_takes_the_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut leaves hangs on this order, which no kill can show."""
    a_loose_journal(path, 300)
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        steps.append("sync " + os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), path))
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        if Path(target).name == "data.mdb":
            steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    compact(path)
    assert steps == ["sync compact/data.mdb", "sync compact", "rename", "sync ."]


def test_without_room_nothing_is_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_loose_journal(path)
    before = (path / "data.mdb").read_bytes()
    module = __import__("sys").modules[public.__module__]
    monkeypatch.setattr(module, "free_bytes", lambda folder: min(1000, free_bytes(folder)))
    with pytest.raises(JournalFull, match="1000 are free; free some space there, nothing was"):
        compact(path)
    assert (path / "data.mdb").read_bytes() == before
    assert not (path / "compact").exists()
