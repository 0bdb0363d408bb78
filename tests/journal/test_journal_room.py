"""Room: the map grows, a full disk loses nothing, and there is always room for the end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_journal import Journal, JournalBroken, JournalFull, MemoryJournal, verify


def test_the_map_grows(path: Path) -> None:
    with Journal.create(path, "a-run", map_size=1 << 16) as journal:
        for size in (10, 1 << 17, 1 << 22):
            seq = journal.append(1, b"", os.urandom(size))
            journal.append(1, b"small")
            journal.commit()
            with journal.reading() as view:
                assert len(view.record(seq).payload) == size
        journal.delete(1, journal.last_seq)
        journal.commit()
    with Journal.open(path, map_size=1 << 16) as journal:
        assert list(journal.scan()) == []
        journal.append(1, b"", bytes(1 << 24))
        assert journal.commit() == 7


def test_a_record_of_more_than_100_mb(path: Path) -> None:
    payload = bytes(range(256)) * 410_000
    with Journal.create(path, "a-run", map_size=1 << 20) as journal:
        seq = journal.append(1, b"large", payload, [b"beside it"])
        journal.commit()
        with journal.reading() as view:
            record = view.record(seq)
            assert record.payload == payload
            assert record.buffers == [b"beside it"]
            del record


def test_a_million_records_are_deleted_as_one_range(path: Path) -> None:
    with Journal.create(path, "a-run") as journal:
        for _ in range(200_000):
            journal.append(1, b"")
        journal.commit()
        for seq in range(1, 100_001):
            journal.delete(seq)
        journal.delete(100_001, 99_999)
        assert journal._staging.deletions == [(1, 200_000)]
        journal.commit()
        assert [seq for seq, _ in journal.scan()] == [200_000]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take the disk's room, all but ``leave`` bytes."""
    ballast = folder / "ballast"
    left = os.statvfs(folder)
    ballast.write_bytes(bytes(left.f_bavail * left.f_frsize - leave))
    return ballast


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    path = small_disk / "journal"
    with Journal.create(path, "a-run") as journal:
        reserve = path / "reserve"
        assert 0 < reserve.stat().st_size <= (4 << 20) // 32
        assert journal.has_room(1 << 20)
        journal.append(1, b"first")
        journal.commit()

        ballast = fill(small_disk, leave=16384)
        assert not journal.has_room(1)
        for _ in range(5):  # the end of a task: small, and the reserve is there for it
            journal.append(2, b"end", bytes(8000))
            journal.commit()
        assert not reserve.exists()
        assert not journal.has_room(1)

        journal.append(3, b"too large", bytes(1 << 20), [b"beside it"])
        journal.put_blob(b"name", b"value")
        journal.delete(1)
        staged = journal.staged_bytes
        for _ in range(3):
            with pytest.raises(JournalFull, match="nothing is lost"):
                journal.commit()
        assert journal.dirty
        assert journal.staged_bytes == staged
        assert next(journal.scan())[0] == 1
        assert journal.blob(b"name") == b"value"

        ballast.unlink()
        assert journal.commit() == 8
        assert journal.has_room(1)
        assert reserve.exists()
    assert verify(path).ok
    with Journal.open(path) as journal:
        kinds = [(record.kind, len(record.payload)) for _, record in journal.scan()]
        assert kinds == [(2, 8000)] * 5 + [(3, 1 << 20)]
        assert journal.blob(b"name") == b"value"


@pytest.mark.parametrize("reserve", [True, False], ids=["reserve held", "reserve given up"])
def test_free_pages_of_the_file_are_room(small_disk: Path, reserve: bool) -> None:
    path = small_disk / "journal"
    with Journal.create(path, "a-run") as journal:
        for _ in range(20):
            journal.append(1, b"", bytes(100_000))
        journal.commit()
        if not reserve:
            (path / "reserve").unlink()
        fill(small_disk, leave=64 << 10)  # to note what is free takes some pages
        assert not journal.has_room(1)
        journal.delete(1, 20)
        journal.commit()
        size = journal.size_bytes
        assert journal.has_room(500_000)
        assert not journal.has_room(size)  # more than there is
        for _ in range(5):
            journal.append(2, b"", bytes(100_000))
            journal.commit()
        assert journal.size_bytes < size + 100_000
        assert (path / "reserve").exists() == reserve
    assert verify(path).ok


def test_opening_on_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "journal"
    with Journal.create(path, "a-run") as journal:
        journal.append(1, b"")
        journal.commit()
    (path / "reserve").unlink()
    fill(small_disk, leave=8192)
    with Journal.open(path) as journal:
        assert not journal.has_room(1)
        assert [seq for seq, _ in journal.scan()] == [1]


@pytest.mark.parametrize("leave", [0, 4096, 16384])
def test_no_journal_is_left_where_there_is_no_room(small_disk: Path, leave: int) -> None:
    fill(small_disk, leave)
    with pytest.raises(JournalFull, match="free some space"):
        Journal.create(small_disk / "journal", "a-run")
    assert [entry.name for entry in small_disk.iterdir()] == ["ballast"]


def test_a_disk_without_inodes_takes_no_more(small_disk: Path) -> None:
    """There is room on it, but no file can be made, and so no reserve either."""
    with Journal.create(small_disk / "journal", "a-run") as journal:
        (journal.path / "reserve").unlink()
        subprocess.run(["mount", "-o", "remount,nr_inodes=8", str(small_disk)], check=True)
        with contextlib.suppress(OSError):
            for number in range(8):
                (small_disk / str(number)).touch()
        assert not journal.has_room(1)
        assert "a quota is used up, or its inodes are" in journal.why_full()
        (small_disk / "0").unlink()
        assert journal.has_room(1)


FILE_LIMITED = """\
import resource, sys
from scoop_journal import Journal
with Journal.create(sys.argv[1], "a-run", reserve_bytes=1 << 20) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, resource.RLIM_INFINITY))
    (journal.path / "reserve").unlink()
    assert not journal.has_room(1)
    print(journal.why_full())
"""


def test_a_limit_of_file_size_is_called_so(path: Path) -> None:
    pytest.importorskip("resource")
    command = [sys.executable, "-c", FILE_LIMITED, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == (
        f"no file may be larger than 524,288 bytes, which the journal {path} needs: "
        "raise that limit (ulimit -f), stop the run, and resume it\n"
    )


def test_room_is_reckoned_with_what_is_staged(path: Path) -> None:
    with Journal.create(path, "a-run") as journal:
        half = journal.free_bytes() // 2
        assert journal.has_room(half)
        journal.append(1, b"", bytes(1 << 20))
        assert not journal.has_room(journal.free_bytes())


def test_the_twin_in_memory_fails_on_demand() -> None:
    journal = MemoryJournal("a-run", capacity=100)
    journal.append(1, b"", bytes(80))
    journal.commit()
    journal.append(1, b"", bytes(80))
    assert not journal.has_room(1)
    with pytest.raises(JournalFull):
        journal.commit()
    journal.capacity = 200
    assert journal.commit() == 2
    journal.append(1, b"lost")
    journal.break_next_commit()
    for _ in range(2):
        with pytest.raises(JournalBroken):
            journal.commit()
    with pytest.raises(JournalBroken):
        journal.append(1, b"")
    journal.crash()
    assert [seq for seq, _ in journal.scan()] == [1, 2]
    assert journal.append(1, b"") == 3


LIMITED = """\
import resource, sys
from scoop_journal import Journal, JournalError
if sys.argv[2] == "open":
    Journal.create(sys.argv[1], "a-run").close()
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
try:
    Journal.create(sys.argv[1], "a-run") if sys.argv[2] == "create" else Journal.open(sys.argv[1])
except JournalError as error:
    print(error)
"""


@pytest.mark.parametrize("how", ["create", "open"])
def test_a_limit_of_address_space_is_called_so(path: Path, how: str) -> None:
    pytest.importorskip("resource")
    command = [sys.executable, "-c", LIMITED, str(path), how]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "a map of 1073741824 bytes cannot be had for" in said
    assert said.endswith("raise the address space limit (ulimit -v), and try again\n")
    assert "permissions" not in said
