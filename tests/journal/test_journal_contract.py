"""The contract, held by the journal on disk and by its twin in memory alike."""

from __future__ import annotations

import pytest
from journal_subject import Subject
from scoop_journal import JournalDamaged, JournalError, Record, RecordMissing
from scoop_journal.base import BaseJournal


def plain(record: Record) -> tuple[int, bytes, bytes, list[bytes]]:
    return record.kind, record.header, bytes(record.payload), [bytes(b) for b in record.buffers]


def contents(journal: BaseJournal) -> list[tuple[int, tuple[int, bytes, bytes, list[bytes]]]]:
    return [(seq, plain(record)) for seq, record in journal.scan()]


def read(journal: BaseJournal, seq: int) -> tuple[int, bytes, bytes, list[bytes]]:
    with journal.reading() as view:
        return plain(view.record(seq))


def test_numbers_are_given_in_order_from_one(subject: Subject) -> None:
    journal = subject.journal
    assert journal.last_seq == 0
    assert [journal.append(1, b"") for _ in range(3)] == [1, 2, 3]
    assert journal.append(2, b"", b"", [b"x", b"y"]) == 4
    assert journal.append(3, b"") == 7
    assert journal.commit() == journal.last_seq == 7


@pytest.mark.parametrize("committed", [False, True])
def test_a_record_is_read_as_it_was_written(subject: Subject, committed: bool) -> None:
    journal = subject.journal
    payload, buffers = bytearray(b"payload"), [memoryview(b"one"), b"", bytearray(b"three")]
    seq = journal.append(254, b"header", payload, buffers)
    payload[:] = b"changed"
    if committed:
        journal.commit()
    assert read(journal, seq) == (254, b"header", b"payload", [b"one", b"", b"three"])
    with journal.reading() as view:
        assert view.header(seq) == b"header"
        assert seq in view
        assert seq + 100 not in view


def test_what_was_not_committed_is_lost_in_a_crash(subject: Subject) -> None:
    subject.journal.append(1, b"kept")
    subject.journal.put_blob(b"kept", b"1")
    subject.journal.commit()
    subject.journal.append(1, b"lost")
    subject.journal.put_blob(b"lost", b"2")
    subject.journal.delete(1)
    journal = subject.crash()
    assert contents(journal) == [(1, (1, b"kept", b"", []))]
    assert journal.blob(b"kept") == b"1"
    assert not journal.has_blob(b"lost")
    assert journal.append(1, b"next") == 2


def test_numbers_are_never_given_twice(subject: Subject) -> None:
    journal = subject.journal
    for _ in range(5):
        journal.append(1, b"")
    journal.commit()
    journal.delete(3, 3)
    journal.commit()
    journal = subject.crash()
    assert journal.last_seq == 5
    assert journal.append(1, b"") == 6
    journal.delete(6)
    journal.commit()
    assert subject.crash().append(1, b"") == 7


def test_scan_starts_where_asked(subject: Subject) -> None:
    journal = subject.journal
    for number in range(1, 6):
        journal.append(number, b"")
    journal.commit()
    journal.delete(4)
    journal.commit()
    assert [seq for seq, _ in journal.scan(3)] == [3, 5]
    assert list(journal.scan(6)) == []


def test_deleting_takes_the_buffers_along(subject: Subject) -> None:
    journal = subject.journal
    first = journal.append(1, b"", b"", [b"a", b"b"])
    second = journal.append(2, b"")
    journal.commit()
    journal.delete(first)
    assert read(journal, first)[3] == [b"a", b"b"], "committed ones stay until the commit"
    journal.commit()
    assert [seq for seq, _ in journal.scan()] == [second]
    journal.delete(first, 3)
    journal.commit()
    assert [seq for seq, _ in journal.scan()] == [second], "deleting again is no error"


def test_deleting_what_is_staged_needs_no_commit(subject: Subject) -> None:
    journal = subject.journal
    first = journal.append(1, b"", b"x" * 100, [b"a" * 100, b"b" * 100])
    second = journal.append(2, b"")
    size = journal.staged_bytes
    journal.delete(first)
    assert size - journal.staged_bytes == 3 * (100 + 16)
    with journal.reading() as view, pytest.raises(RecordMissing):
        view.record(first)
    journal.commit()
    assert [seq for seq, _ in journal.scan()] == [second]
    assert journal.last_seq == second


def test_a_range_over_committed_and_staged_records(subject: Subject) -> None:
    journal = subject.journal
    for _ in range(4):
        journal.append(1, b"")
    journal.commit()
    for _ in range(4):
        journal.append(2, b"")
    journal.delete(3, 4)
    journal.commit()
    assert [seq for seq, _ in journal.scan()] == [1, 2, 7, 8]


def test_a_record_cannot_be_cut_in_two(subject: Subject) -> None:
    journal = subject.journal
    seq = journal.append(1, b"", b"", [b"a", b"b"])
    with pytest.raises(ValueError, match="inside a record"):
        journal.delete(seq + 1)
    journal.commit()
    with pytest.raises(ValueError, match="inside a record"):
        journal.delete(seq + 1)
    with journal.reading() as view, pytest.raises(RecordMissing, match="inside one"):
        view.record(seq + 1)


@pytest.mark.parametrize(("seq", "count"), [(0, 1), (1, 0), (1, 3), (3, 1), (-1, 1)])
def test_only_given_numbers_can_be_deleted(subject: Subject, seq: int, count: int) -> None:
    subject.journal.append(1, b"")
    subject.journal.append(1, b"")
    with pytest.raises(ValueError, match="cannot delete"):
        subject.journal.delete(seq, count)


def test_blobs(subject: Subject) -> None:
    journal = subject.journal
    assert journal.blob(b"a") is None
    journal.put_blob(b"a", b"old")
    journal.put_blob(b"a", memoryview(b"new"))
    journal.put_blob(b"\0" * 511, b"")
    assert journal.blob(b"a") == b"new"
    journal.commit()
    assert (journal.blob(b"a"), journal.blob(b"\0" * 511)) == (b"new", b"")
    journal.put_blob(b"a", b"newest")
    journal.commit()
    assert journal.blob(b"a") == b"newest"
    journal.delete_blob(b"a")
    journal.delete_blob(b"never there")
    assert not journal.has_blob(b"a")
    assert journal.blob(b"a") is None
    journal.commit()
    assert subject.crash().blob(b"a") is None


@pytest.mark.parametrize("name", [b"", b"x" * 512])
def test_a_blobs_name_fits_into_a_key(subject: Subject, name: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 511 bytes"):
        subject.journal.put_blob(name, b"")
    assert not subject.journal.dirty


@pytest.mark.parametrize("kind", [0, 255, -1, 256])
def test_kinds_of_the_library_are_refused(subject: Subject, kind: int) -> None:
    with pytest.raises(ValueError, match="kind must be 1 to 254"):
        subject.journal.append(kind, b"")
    assert not subject.journal.dirty


def test_a_bad_buffer_leaves_no_half_record(subject: Subject) -> None:
    journal = subject.journal
    with pytest.raises(TypeError):
        journal.append(1, b"", b"", [b"good", "bad"])  # type: ignore[list-item]
    assert (journal.dirty, journal.staged_bytes, journal.last_seq) == (False, 0, 0)


def test_what_is_staged_is_counted(subject: Subject) -> None:
    journal = subject.journal
    assert not journal.dirty
    journal.append(1, b"12345", b"123456789")
    assert journal.dirty
    assert journal.staged_bytes == 16 + 14
    journal.put_blob(b"name", b"1")
    journal.put_blob(b"name", b"12")
    assert journal.staged_bytes == 30 + 16 + 6
    journal.commit()
    assert (journal.dirty, journal.staged_bytes) == (False, 0)
    assert journal.last_commit_seconds > 0
    assert journal.commit() == 1


def test_a_view_ends_with_its_with(subject: Subject) -> None:
    journal = subject.journal
    seq = journal.append(1, b"", b"payload")
    journal.commit()
    with journal.reading() as view:
        payload = view.record(seq).payload
        with pytest.raises(JournalError, match="leave it first"):
            journal.commit()
    with pytest.raises(JournalError, match="inside its 'with'"):
        view.record(seq)
    with pytest.raises(ValueError, match="released"):
        bytes(payload)


def test_no_commit_inside_a_scan(subject: Subject) -> None:
    journal = subject.journal
    journal.append(1, b"")
    journal.commit()
    journal.append(1, b"")
    scan = journal.scan()
    next(scan)
    with pytest.raises(JournalError, match="leave it first"):
        journal.commit()
    del scan
    assert journal.commit() == 2


def test_views_may_be_nested(subject: Subject) -> None:
    journal = subject.journal
    seq = journal.append(1, b"", b"x")
    journal.commit()
    with journal.reading() as one, journal.reading() as two:
        assert one.record(seq).payload == two.record(seq).payload == b"x"
        assert [s for s, _ in journal.scan()] == [seq]


def test_a_missing_record_has_its_own_error(subject: Subject) -> None:
    with subject.journal.reading() as view:
        for error in (RecordMissing, KeyError, JournalError):
            with pytest.raises(error, match="no record 7"):
                view.record(7)


def test_a_closed_journal_says_so(subject: Subject) -> None:
    journal = subject.journal
    journal.close()
    journal.close()
    for call in (
        lambda: journal.append(1, b""),
        lambda: journal.commit(),
        lambda: journal.blob(b"x"),
        lambda: journal.delete(1),
    ):
        with pytest.raises(JournalError, match="closed"):
            call()


def test_staged_damage_is_no_excuse(subject: Subject) -> None:
    """Bytes that changed in memory are noticed like those that changed on disk."""
    journal = subject.journal
    seq = journal.append(1, b"", b"payload")
    journal._staging.records[seq] = journal._staging.records[seq][:-1] + b"X"
    with journal.reading() as view, pytest.raises(JournalDamaged, match=f"record {seq}") as caught:
        view.record(seq)
    assert caught.value.seq == seq


def test_it_knows_its_run_and_room(subject: Subject) -> None:
    journal = subject.journal
    assert journal.run == "a-run"
    assert journal.free_bytes() > 0
    assert journal.has_room(1)
    assert not journal.has_room(1 << 63)
    assert journal.size_bytes >= 0
