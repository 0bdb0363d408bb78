"""The envelope: what is written is read, and nothing else is."""

from __future__ import annotations

import array
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoop_journal import JournalDamaged, envelope
from scoop_journal.envelope import (
    MAX_BUFFERS,
    OVERHEAD_BYTES,
    pack,
    pack_named,
    unpack,
    unpack_head,
    unpack_named,
)

KINDS = st.integers(0, 255)
COUNTS = st.integers(0, MAX_BUFFERS)
BYTES = st.binary(max_size=64)


def test_golden_bytes() -> None:
    """The example of docs/journal-format.md, computed once and never again."""
    data = pack(1, b"head", b"payload", 2)
    assert data.hex(" ") == (
        "2a 9b 24 26 01 02 00 00 04 00 00 00 15 6a 2c 42 68 65 61 64 70 61 79 6c 6f 61 64"
    )
    assert unpack(data) == (1, 2, b"head", b"payload")
    assert pack_named(b"next", bytes(7) + b"\1").hex(" ") == (
        "75 3f 34 54 00 00 00 00 04 00 00 00 ff ef 25 12 6e 65 78 74 00 00 00 00 00 00 00 01"
    )


@given(KINDS, BYTES, BYTES, COUNTS)
def test_round_trip(kind: int, header: bytes, payload: bytes, count: int) -> None:
    assert unpack(pack(kind, header, payload, count)) == (kind, count, header, payload)


@given(KINDS, BYTES, BYTES, COUNTS, st.data())
def test_any_flipped_bit_is_noticed(
    kind: int, header: bytes, payload: bytes, count: int, data: st.DataObject
) -> None:
    stored = bytearray(pack(kind, header, payload, count))
    bit = data.draw(st.integers(0, len(stored) * 8 - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(JournalDamaged, match="record 5"):
        unpack(stored, 5)


@given(KINDS, BYTES, BYTES, COUNTS, st.data())
def test_any_flipped_bit_of_a_head_is_noticed_without_its_payload(
    kind: int, header: bytes, payload: bytes, count: int, data: st.DataObject
) -> None:
    stored = bytearray(pack(kind, header, payload, count))
    head = OVERHEAD_BYTES + len(header)
    stored[head:] = bytes(len(payload))  # whatever is there, nobody looks
    assert unpack_head(stored)[:3] == (kind, count, header)
    bit = data.draw(st.integers(0, head * 8 - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(JournalDamaged, match="record 5"):
        unpack_head(stored, 5)


@given(KINDS, BYTES, BYTES, COUNTS, st.data())
def test_any_truncation_is_noticed(
    kind: int, header: bytes, payload: bytes, count: int, data: st.DataObject
) -> None:
    stored = pack(kind, header, payload, count)
    end = data.draw(st.integers(0, len(stored) - 1))
    with pytest.raises(JournalDamaged):
        unpack(stored[:end])


@given(st.binary(max_size=40))
def test_any_bytes_give_a_record_or_the_one_error(garbage: bytes) -> None:
    for check in (True, False):
        with contextlib.suppress(JournalDamaged):
            assert unpack(garbage, check=check).payload.nbytes <= len(garbage) - 16


def test_a_payload_is_any_contiguous_buffer() -> None:
    numbers = array.array("d", [1.0, 2.0])
    assert unpack(pack(1, b"", numbers)).payload == numbers.tobytes()
    with pytest.raises(BufferError):
        pack(1, b"", memoryview(b"123456")[::2])


def test_a_value_under_another_name_is_noticed() -> None:
    stored = pack_named(b"one", b"1")
    assert unpack_named(b"one", stored) == b"1"
    with pytest.raises(JournalDamaged, match=r"'two'.*another record's bytes"):
        unpack_named(b"two", stored)
    with pytest.raises(JournalDamaged, match="only 0 bytes"):
        unpack_named(b"two", b"")


def test_what_cannot_be_stored_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="kind"):
        pack(256, b"")
    with pytest.raises(ValueError, match="buffers"):
        pack(1, b"", b"", MAX_BUFFERS + 1)
    monkeypatch.setattr(envelope, "MAX_ENVELOPE_BYTES", 24)
    assert len(pack(1, b"1234", b"5678")) == 24
    with pytest.raises(ValueError, match="split it"):
        pack(1, b"1234", b"56789")
