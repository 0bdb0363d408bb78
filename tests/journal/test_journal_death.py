"""Processes that die and disks that fail: what was committed is there, in order, without gaps."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from scoop_journal import Journal, JournalBroken, JournalLocked, Reader, verify

Spawn = Callable[..., "subprocess.Popen[str]"]


def check(path: Path, said: int) -> int:
    """Check all that holds after a death; return the last number."""
    report = verify(path)
    assert report.ok, report.problem
    with Journal.open(path) as journal:
        assert journal.last_seq >= said, "a committed record is gone"
        found = dict(journal.scan())
        expected = next(iter(found), None)
        for seq, record in found.items():
            assert seq == expected, "a gap"
            assert record.header == str(seq).encode()
            assert all(buffer == record.header for buffer in record.buffers)
            expected = seq + 1 + len(record.buffers)
        assert expected is None or expected == journal.last_seq + 1
        blob = journal.blob(b"first of the last commit")
        assert (blob is None) == (not found)
        assert blob is None or said < journal.last_seq or int(blob) <= said
        return journal.last_seq


def test_killed_at_any_moment(path: Path, spawn: Spawn) -> None:
    Journal.create(path, "a-run").close()
    draw = random.Random(1)
    last = 0
    for seed in range(15):
        process = spawn("commit_forever.py", path, seed)
        assert process.stdout is not None
        # Reads some commits, then kills in the middle of whatever comes after them.
        said = [int(process.stdout.readline()) for _ in range(draw.randint(1, 40))]
        process.kill()
        said += [int(line) for line in process.stdout.read().splitlines(True) if line[-1] == "\n"]
        process.wait()
        assert said[0] > last
        last = check(path, said[-1])


def test_reading_beside_a_writer(path: Path, spawn: Spawn) -> None:
    """A reader sees whole commits, and follows the map as the writer makes it grow."""
    Journal.create(path, "a-run").close()
    process = spawn("commit_forever.py", path, 7)
    assert process.stdout is not None
    said = int(process.stdout.readline())
    with Reader.open(path) as reader:
        size = reader.size_bytes
        while reader.size_bytes < size + (4 << 20):
            for _ in range(20):
                said = int(process.stdout.readline())
            seqs = [seq for seq, record in reader.scan() if record.header == str(seq).encode()]
            assert reader.meta.next_seq > said
            assert seqs[-1] + 3 > said
            with reader.reading() as view:
                assert view.header(seqs[-1]) == str(seqs[-1]).encode()
        assert verify_in_other_process(path, spawn) == 0
    process.kill()
    process.wait()
    check(path, said)


def verify_in_other_process(path: Path, spawn: Spawn) -> int:
    process = spawn("verify_it.py", path)
    return process.wait()


def test_a_second_writer_is_refused_and_told_by_whom(path: Path, spawn: Spawn) -> None:
    Journal.create(path, "a-run").close()
    process = spawn("hold.py", path)
    assert process.stdout is not None
    pid = process.stdout.readline().strip()
    with pytest.raises(JournalLocked, match=f"belongs to process {pid} on"):
        Journal.open(path)
    with Reader.open(path) as reader:
        assert reader.meta.run == "a-run"
    process.kill()
    process.wait()
    with Journal.open(path) as journal:
        assert journal.append(1, b"") == 1
        with pytest.raises(JournalLocked):
            Journal.open(path)
        with pytest.raises(JournalLocked, match="already open in this process"):
            Reader.open(path)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("call", "when"),
    [("fdatasync", 20), *(("pwrite64", when) for when in range(20, 28))],
)
def test_a_failed_write_or_sync_is_never_retried(
    path: Path, spawn: Spawn, call: str, when: int
) -> None:
    """One system call fails, of data or of the page that commits: the journal stops at once."""
    Journal.create(path, "a-run").close()
    log = path.parent / "calls"
    strace = (
        *("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}"),
        *("-e", f"inject={call}:error=EIO:when={when}"),
    )
    process = spawn("fail_sync.py", path, before=strace)
    output, _ = process.communicate(timeout=30)
    if not output:
        pytest.skip(f"strace cannot be used here (exit code {process.returncode})")
    first, *later = output.splitlines()
    committed, name, message = first.split(" ", 2)
    assert name == "JournalBroken"
    assert "check the disk" in message
    assert later == ["JournalBroken"] * 3
    calls = log.read_text().splitlines()
    assert "EIO" in calls[when - 1]
    if call == "fdatasync":
        assert len([line for line in calls if call in line]) == when, "a failed sync was retried"
    with Journal.open(path) as journal:
        # What failed may be there or not; nothing that was said to be there is missing.
        found = [seq for seq, _ in journal.scan()]
        assert found == list(range(1, len(found) + 1))
        assert int(committed) <= len(found) <= int(committed) + 1


@pytest.mark.parametrize("what", ["", "data.mdb"])
def test_nothing_is_written_to_a_file_that_is_gone(path: Path, what: str) -> None:
    """The engine would go on writing to it, and nobody would find that again."""
    there = path.with_name("there")
    with Journal.create(path, "a-run") as journal:
        journal.append(1, b"one")
        journal.commit()
        (path / what).rename(there)
        journal.append(1, b"two")
        with pytest.raises(JournalBroken, match="was removed or moved while it was written to"):
            journal.commit()
    there.rename(path / what)
    with Journal.open(path) as journal:
        assert [record.header for _, record in journal.scan()] == [b"one"]
