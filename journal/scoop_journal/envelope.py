"""One record to bytes and back.  Pure: no I/O, no LMDB, no state.

The bytes, little-endian, are part of the disk format (docs/journal-format.md):

    crc32 u32 | kind u8 | number of buffers u24 | header length u32 | crc32 of the payload u32
    | header | payload

The first checksum covers all from behind itself to the header's end, the other one the payload:
so headers can be read, and trusted, without reading the payloads behind them.  Kind 0 is the
library's own (named values: blobs and metadata, whose header is their name), 255 is an out-of-band
buffer of the record before it, and 1 to 254 belong to the user of the library.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from .errors import JournalDamaged

if TYPE_CHECKING:
    from typing_extensions import Buffer

NAMED: Final = 0
BUFFER: Final = 255
FIRST_USER_KIND: Final = 1
LAST_USER_KIND: Final = 254

#: Bytes in front of the header.
OVERHEAD_BYTES: Final = 16
#: LMDB stores values below 4 GiB; the difference leaves room for its page headers.
MAX_ENVELOPE_BYTES: Final = (1 << 32) - (1 << 16)
MAX_BUFFERS: Final = (1 << 24) - 1

#: How every report of damage ends.
WAY_OUT: Final = "restore the journal's folder from a copy, or start a new run"

_CRC = struct.Struct("<I")
# Kind and number of buffers share one word: kind is its lowest byte.
_FIXED = struct.Struct("<III")
_ALL = struct.Struct("<IIII")


class Envelope(NamedTuple):
    """A decoded record; ``payload`` points into the memory it was decoded from."""

    kind: int
    buffer_count: int
    header: bytes
    payload: memoryview


def pack(kind: int, header: bytes, payload: Buffer = b"", buffer_count: int = 0) -> bytes:
    """Encode one record.

    Parameters
    ----------
    kind : int
        0 to 255.
    header : bytes
        The small part, which is copied when the record is read.
    payload : Buffer
        Any contiguous buffer; copied once.
    buffer_count : int
        How many BUFFER records follow this one.

    Raises
    ------
    ValueError
        When a number or the whole record is too large to be stored.
    """
    if not 0 <= kind <= BUFFER:
        raise ValueError(f"kind must be 0 to 255, not {kind}")
    if buffer_count > MAX_BUFFERS:
        raise ValueError(f"a record can have {MAX_BUFFERS} buffers, not {buffer_count}")
    size = OVERHEAD_BYTES + len(header) + memoryview(payload).nbytes
    if size > MAX_ENVELOPE_BYTES:
        raise ValueError(
            f"a record can have {MAX_ENVELOPE_BYTES} bytes, not {size}: split it into several"
        )
    fixed = _FIXED.pack(kind | buffer_count << 8, len(header), crc32(payload))
    crc = crc32(header, crc32(fixed))
    return b"".join((_CRC.pack(crc), fixed, header, payload))


def unpack(data: Buffer, seq: int | None = None, check: bool = True) -> Envelope:
    """Decode one record, refusing bytes that are not what was written.

    Parameters
    ----------
    data : Buffer
        The stored bytes; the payload returned is a view of them.
    seq : int, optional
        The record's number, for the message.
    check : bool
        False skips the checksum (lengths are always checked), for a record checked before.

    Raises
    ------
    JournalDamaged
        When the checksum or a length is wrong.
    """
    try:
        envelope = _decode(memoryview(data), check)
        if check:
            _check_payload(memoryview(data), envelope.payload)
    except _Flaw as flaw:
        raise damaged(seq, str(flaw)) from None
    return envelope


def unpack_head(data: Buffer, seq: int | None = None) -> Envelope:
    """Decode one record without reading its payload, whose bytes are not checked therefore.

    Raises
    ------
    JournalDamaged
        When the header is not what was written.
    """
    try:
        return _decode(memoryview(data), check=True)
    except _Flaw as flaw:
        raise damaged(seq, str(flaw)) from None


def pack_named(name: bytes, value: Buffer) -> bytes:
    """Encode a blob or a metadata value; it carries its own name, so that a swap is noticed."""
    return pack(NAMED, name, value)


def unpack_named(name: bytes, data: Buffer) -> memoryview:
    """Decode a blob or a metadata value and check that it is the one asked for."""
    try:
        envelope = _decode(memoryview(data), check=True)
        _check_payload(memoryview(data), envelope.payload)
        if envelope.kind != NAMED or envelope.header != name:
            raise _Flaw("it holds another record's bytes")
    except _Flaw as flaw:
        label = name.decode("ascii", "backslashreplace")
        raise JournalDamaged(
            f"the journal is damaged at value {label!r}: {flaw}; {WAY_OUT}"
        ) from None
    return envelope.payload


def damaged(seq: int | None, why: str) -> JournalDamaged:
    """Say which record is damaged, and the way out."""
    which = "a record" if seq is None else f"record {seq}"
    return JournalDamaged(f"the journal is damaged at {which}: {why}; {WAY_OUT}", seq)


class _Flaw(ValueError):
    """What is wrong with some bytes, before it is known whose they are."""


def _decode(memory: memoryview, check: bool) -> Envelope:
    if memory.nbytes < OVERHEAD_BYTES:
        raise _Flaw(f"it has only {memory.nbytes} bytes")
    crc, word, header_length, _ = _ALL.unpack_from(memory)
    end = OVERHEAD_BYTES + header_length
    if end > memory.nbytes:
        raise _Flaw(f"its header of {header_length} bytes is cut off")
    if check and crc32(memory[4:end]) != crc:
        raise _Flaw("its checksum is wrong")
    return Envelope(word & 0xFF, word >> 8, bytes(memory[OVERHEAD_BYTES:end]), memory[end:])


def _check_payload(memory: memoryview, payload: memoryview) -> None:
    if crc32(payload) != _ALL.unpack_from(memory)[3]:
        raise _Flaw("its payload's checksum is wrong")
