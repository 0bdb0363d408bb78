"""The table of what may be found on disk: each row made for real, for each way to open it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from scoop_journal import (
    Journal,
    JournalDamaged,
    JournalError,
    JournalExists,
    JournalForeign,
    JournalLocked,
    JournalMissing,
    JournalTooNew,
    JournalUnsynced,
    Reader,
    condition,
    layout,
    ownership,
    verify,
)
from scoop_journal.condition import DECISIONS, Found, Intent

RECORDS = 300
BAD_SEQ = 150


def sound(path: Path) -> None:
    with Journal.create(path, "a-run", reserve_bytes=0) as journal:
        for seq in range(1, RECORDS + 1):
            journal.append(1, b"record %d" % seq, b"payload of %d" % seq)
        journal.append(1, b"large", bytes(20_000), [b"buffer"])
        journal.put_blob(b"name", b"value of a blob")
        journal.commit()


def replace_on_disk(path: Path, old: bytes, new: bytes) -> None:
    data = path / "data.mdb"
    stored = data.read_bytes()
    assert old in stored
    assert len(old) == len(new)
    data.write_bytes(stored.replace(old, new))


def edit_meta(path: Path, key: bytes, value: bytes) -> None:
    with (
        lmdb.open(str(path), max_dbs=5, lib_version=0) as env,
        env.begin(write=True, db=env.open_db(b"meta")) as txn,
    ):
        txn.put(key, value)


def make_nothing(path: Path) -> None:
    pass


def make_a_file(path: Path) -> None:
    path.write_bytes(b"text")


def make_an_empty_folder(path: Path) -> None:
    path.mkdir()


def make_a_folder_without_data(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_bytes(b"text")


def make_empty_data(path: Path) -> None:
    sound(path)
    (path / "data.mdb").write_bytes(b"")


def make_garbage(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(b"not a database " * 4000)


def make_short_garbage(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(b"\0")


def make_other_lmdb(path: Path) -> None:
    lmdb.open(str(path), lib_version=1).close()


def cut_in_the_middle(path: Path) -> None:
    sound(path)
    data = path / "data.mdb"
    os.truncate(data, data.stat().st_size // 2)


def cut_after_a_page(path: Path) -> None:
    sound(path)
    os.truncate(path / "data.mdb", 4096)


def overwrite_the_first_page(path: Path) -> None:
    sound(path)
    with (path / "data.mdb").open("r+b") as data:
        data.write(struct.pack("=QHHI", 0, 0, 0x08, 0) + struct.pack("=II", 0xBEEFC0DE, 77))


def overwrite_a_tree_page(path: Path) -> None:
    sound(path)
    data = path / "data.mdb"
    pages = data.stat().st_size // 4096
    with data.open("r+b") as file:
        file.seek((pages // 2) * 4096)
        file.write(os.urandom(4096))


def make_another_programs_lmdb(path: Path) -> None:
    with lmdb.open(str(path), lib_version=0) as env, env.begin(write=True) as txn:
        txn.put(b"key", b"value")


def make_lmdb_with_a_value_named_like_our_table(path: Path) -> None:
    with lmdb.open(str(path), lib_version=0) as env, env.begin(write=True) as txn:
        txn.put(b"meta", b"value")


def make_lmdb_with_tables_like_ours(path: Path) -> None:
    with lmdb.open(str(path), lib_version=0, max_dbs=3) as env:
        for table in (b"meta", b"events", b"blobs"):
            env.open_db(table)


def change_the_magic(path: Path) -> None:
    sound(path)
    edit_meta(path, b"magic", b"other_journal\0" + struct.pack("<I", 1))


def make_it_newer(path: Path) -> None:
    sound(path)
    edit_meta(path, b"magic", layout.pack_magic(layout.FORMAT + 1))
    edit_meta(path, b"next", b"whatever the next format keeps here")


def make_it_older(path: Path) -> None:
    sound(path)
    edit_meta(path, b"magic", layout.pack_magic(layout.FORMAT - 1))


def flip_a_bit_in_the_run(path: Path) -> None:
    sound(path)
    replace_on_disk(path, b"a-run", b"b-run")


def lower_the_next_number(path: Path) -> None:
    sound(path)
    from scoop_journal.envelope import pack_named

    edit_meta(path, b"next", pack_named(b"next", struct.pack(">Q", RECORDS)))


def flip_a_bit_in_a_blob(path: Path) -> None:
    sound(path)
    replace_on_disk(path, b"value of a blob", b"value of a bloc")


def flip_a_bit_in_a_record(path: Path) -> None:
    sound(path)
    replace_on_disk(path, b"record %d" % BAD_SEQ, b"recorc %d" % BAD_SEQ)


def flip_a_bit_in_a_payload(path: Path) -> None:
    sound(path)
    replace_on_disk(path, b"payload of %d" % BAD_SEQ, b"paymoad of %d" % BAD_SEQ)


def stop_the_machine_before_all_is_synced(path: Path) -> None:
    sound(path)
    (path / layout.UNSYNCED_FILE).write_text('{"boot": "another one", "host": "node7"}')


def leave_an_illegible_mark(path: Path) -> None:
    sound(path)
    (path / layout.UNSYNCED_FILE).write_bytes(bytes(10))


Row = tuple[Callable[[Path], None], Found, "type[JournalError] | None", "type[JournalError] | None"]
#: How it is made, what it is, how creating ends, how opening ends.
ROWS: list[Row] = [
    (make_nothing, Found.NOTHING, None, JournalMissing),
    (make_a_file, Found.NOT_A_FOLDER, JournalExists, JournalForeign),
    (make_an_empty_folder, Found.EMPTY_FOLDER, None, JournalMissing),
    (stop_the_machine_before_all_is_synced, Found.UNSYNCED, JournalExists, JournalUnsynced),
    (leave_an_illegible_mark, Found.UNSYNCED, JournalExists, JournalUnsynced),
    (make_a_folder_without_data, Found.NO_DATA_FILE, JournalExists, JournalMissing),
    (make_empty_data, Found.EMPTY_DATA_FILE, JournalExists, JournalDamaged),
    (make_garbage, Found.NOT_LMDB, JournalExists, JournalForeign),
    (make_short_garbage, Found.NOT_LMDB, JournalExists, JournalForeign),
    (make_other_lmdb, Found.OTHER_LMDB, JournalExists, JournalForeign),
    (cut_in_the_middle, Found.BAD_PAGES, JournalExists, JournalDamaged),
    (cut_after_a_page, Found.BAD_PAGES, JournalExists, JournalDamaged),
    (overwrite_the_first_page, Found.BAD_PAGES, JournalExists, JournalDamaged),
    (overwrite_a_tree_page, Found.BAD_PAGES, JournalExists, JournalDamaged),
    (make_another_programs_lmdb, Found.NOT_OURS, JournalExists, JournalForeign),
    (make_lmdb_with_a_value_named_like_our_table, Found.NOT_OURS, JournalExists, JournalForeign),
    (make_lmdb_with_tables_like_ours, Found.NOT_OURS, JournalExists, JournalForeign),
    (change_the_magic, Found.NOT_OURS, JournalExists, JournalForeign),
    (make_it_newer, Found.TOO_NEW, JournalExists, JournalTooNew),
    (make_it_older, Found.TOO_OLD, JournalExists, JournalForeign),
    (flip_a_bit_in_the_run, Found.BAD_VALUE, JournalExists, JournalDamaged),
    (lower_the_next_number, Found.BAD_VALUE, JournalExists, JournalDamaged),
    (flip_a_bit_in_a_blob, Found.BAD_VALUE, JournalExists, JournalDamaged),
    (flip_a_bit_in_a_record, Found.BAD_RECORD, JournalExists, JournalDamaged),
    (sound, Found.SOUND, JournalExists, None),
]


def everything_in(folder: Path) -> dict[str, str]:
    """Names, sizes and contents of all that is there."""
    return {
        str(entry.relative_to(folder)): (
            hashlib.sha256(entry.read_bytes()).hexdigest() if entry.is_file() else "folder"
        )
        for entry in sorted(folder.rglob("*"))
    }


def test_each_thing_found_has_a_row_and_a_decision() -> None:
    assert {found for _, found, _, _ in ROWS} == set(Found) == set(DECISIONS)
    for decisions in DECISIONS.values():
        assert set(decisions) == set(Intent)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].__name__)
def test_the_table(path: Path, row: Row) -> None:
    make, found, creating, opening = row
    make(path)
    before = everything_in(path.parent)
    assert condition.inspect(path).found is found
    for call, refusal in (
        (lambda: Journal.open(path), opening),
        (lambda: Journal.create(path, "a-run"), creating),
    ):
        if refusal is None:
            continue
        with pytest.raises(refusal) as caught:
            call()
        assert type(caught.value) is refusal
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "; " in str(caught.value), "no way out is named"
        assert everything_in(path.parent) == before, "a refusal changed something"
    report = verify(path)
    assert report.ok is (opening is None)
    if found is not Found.SOUND:  # reading a sound one takes a place in its table of readers
        assert everything_in(path.parent) == before
    for call, refusal in (
        (lambda: Journal.open(path), opening),
        (lambda: Journal.create(path, "a-run"), creating),
    ):
        if refusal is None:
            with call() as journal:
                assert journal.run == "a-run"
            assert path.stat().st_mode & 0o777 == 0o700
            break


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].__name__)
def test_a_reader_refuses_the_same(path: Path, row: Row) -> None:
    make, found, _, opening = row
    make(path)
    before = everything_in(path.parent)
    if opening is None:
        with Reader.open(path) as reader:
            assert reader.meta.next_seq == RECORDS + 3
    elif found is Found.BAD_RECORD:
        with Reader.open(path) as reader, pytest.raises(JournalDamaged, match=str(BAD_SEQ)):
            list(reader.scan())
    elif make is flip_a_bit_in_a_blob:
        with Reader.open(path) as reader, pytest.raises(JournalDamaged, match="name"):
            reader.blob(b"name")
    else:
        with pytest.raises(opening):
            Reader.open(path)
        assert everything_in(path.parent) == before


def test_the_damaged_record_is_named(path: Path) -> None:
    flip_a_bit_in_a_record(path)
    with pytest.raises(JournalDamaged, match=f"at record {BAD_SEQ}: its checksum") as caught:
        Journal.open(path)
    assert caught.value.seq == BAD_SEQ
    with Reader.open(path) as reader, reader.reading() as view:
        assert view.record(BAD_SEQ - 1).header == b"record %d" % (BAD_SEQ - 1)
        with pytest.raises(JournalDamaged, match=f"record {BAD_SEQ}"):
            view.record(BAD_SEQ)


def test_a_damaged_payload_is_named_when_it_is_read(path: Path) -> None:
    """It is not read at opening: recovery takes as long as there are records, however large."""
    flip_a_bit_in_a_payload(path)
    with Journal.open(path, reserve_bytes=0) as journal:
        assert len(list(journal.scan(payloads=False))) == RECORDS + 1
        with journal.reading() as view:
            assert view.header(BAD_SEQ) == b"record %d" % BAD_SEQ
            with pytest.raises(JournalDamaged, match=f"record {BAD_SEQ}: its payload"):
                view.record(BAD_SEQ)
        with pytest.raises(JournalDamaged, match=f"record {BAD_SEQ}"):
            list(journal.scan())
    report = verify(path)
    assert (report.ok, report.seq) == (False, BAD_SEQ)


def test_any_bytes_of_damage_end_in_a_refusal_or_are_harmless(path: Path) -> None:
    """Garbage over any page, in a process of its own each time: none dies of it."""
    sound(path)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "programs" / "damage.py"), str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    outcomes = ast.literal_eval(done.stdout)
    assert outcomes["JournalDamaged"] > 100
    assert set(outcomes) <= {"JournalDamaged", "JournalForeign", "harmless"}


def test_a_journal_that_lost_its_small_files_is_used(path: Path) -> None:
    sound(path)
    for name in ("owner.lock", "lock.mdb", "owner.json", "reserve"):
        (path / name).unlink(missing_ok=True)
    with Reader.open(path) as reader:
        assert reader.meta.run == "a-run"
    with Journal.open(path), pytest.raises(JournalLocked):
        Journal.open(path)


def test_a_note_of_the_dead_is_ignored(path: Path) -> None:
    sound(path)
    note = path / "owner.json"
    for text in ("", "{}", "[]", "nonsense", json.dumps({"pid": "x", "host": 1})):
        note.write_text(text)
        assert ownership.read_owner(path) is None
        assert not ownership.has_owner(path)
        Journal.open(path).close()


WRITER = """
import os, sys
from scoop_journal import Journal
journal = Journal.create(sys.argv[1], "a-run", reserve_bytes=0)
for seq in range(300):
    journal.append(1, b"record", b"payload")
journal.commit()
print("written", flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.parametrize("lives", [True, False])
def test_a_file_that_was_cut_off_under_its_writer_is_refused(path: Path, lives: bool) -> None:
    """It may not be mapped: whoever reads behind its end is killed.  The dead one is a zombie."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        data = path / "data.mdb"
        os.truncate(data, data.stat().st_size // 2)
        if not lives:
            writer.stdin.close()
            writer.stdout.read()
        read = f"from scoop_journal import Reader; Reader.open({str(path)!r})"
        done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True)
    assert done.returncode == 1, done
    assert "JournalDamaged" in done.stderr
    assert "its data file is cut off" in done.stderr


def test_no_fork_inherits_a_journal(path: Path) -> None:
    with Journal.create(path, "a-run") as journal:
        journal.append(1, b"")
        pid = os.fork()
        if pid == 0:
            try:
                journal.commit()
            except JournalError as error:
                os._exit(7 if "fork" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        journal.commit()
