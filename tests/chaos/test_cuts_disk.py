"""The model of a disk: what a power cut may leave of a file, and what it may not."""

from __future__ import annotations

from random import Random

import pytest
from scoop_chaos.cuts.disk import PAGE, SECTOR, Disk, Lie, UnknownCall
from scoop_chaos.cuts.log import Event, Kind

EIO = -5


def event(kind: Kind, offset: int = 0, data: bytes = b"", result: int = 0, **more: bool) -> Event:
    return Event(kind, 5, offset, result, 0, more.get("direct", False), data)


def write(disk: Disk, page: int, byte: bytes, *, direct: bool = False) -> None:
    disk.happen(event(Kind.WRITING, page * PAGE, byte * PAGE, direct=direct))
    disk.happen(event(Kind.WRITTEN, page * PAGE, result=PAGE, direct=direct))


def sync(disk: Disk, result: int = 0) -> None:
    disk.happen(event(Kind.SYNCING))
    disk.happen(event(Kind.SYNCED, result=result))


def left(disk: Disk, torn: float = 0.0, cuts: int = 300) -> set[bytes]:
    """Return what many cuts leave, with each sector as one byte."""
    draw = Random(1)
    return {disk.cut(draw, torn)[::SECTOR] for _ in range(cuts)}


def pages(*bytes_: bytes) -> bytes:
    return b"".join(byte * (PAGE // SECTOR) for byte in bytes_)


def test_what_was_synced_stays() -> None:
    disk = Disk()
    write(disk, 0, b"a")
    write(disk, 1, b"b")
    sync(disk)
    assert left(disk) == {pages(b"a", b"b")}


def test_what_was_not_synced_may_be_there_in_any_order() -> None:
    disk = Disk()
    write(disk, 0, b"a")
    sync(disk)
    write(disk, 0, b"b")
    write(disk, 1, b"c")
    first, second = (b"a", b"b"), (b"\0", b"c")
    both = {pages(x, y) for x in first for y in second}
    assert left(disk) == both | {pages(b"a"), pages(b"b")}


def test_of_several_versions_any_may_be_there() -> None:
    disk = Disk()
    for byte in (b"a", b"b", b"c"):
        write(disk, 0, byte)
    assert left(disk) == {b"", *map(pages, (b"\0", b"a", b"b", b"c"))}


def test_a_torn_page_mixes_sectors() -> None:
    disk = Disk()
    write(disk, 0, b"a")
    sync(disk)
    write(disk, 0, b"b")
    found = left(disk, torn=1.0)
    assert len(found) > 20
    assert all(set(page) == {*b"ab"} or page in (pages(b"a"), pages(b"b")) for page in found)


def test_a_direct_write_is_synced_when_it_returns_and_syncs_nothing_else() -> None:
    disk = Disk()
    write(disk, 0, b"a")
    write(disk, 1, b"b", direct=True)
    assert left(disk) == {pages(b"a", b"b"), pages(b"\0", b"b")}
    assert pages(b"\0") in left_of_lie()


def left_of_lie() -> set[bytes]:
    disk = Disk(Lie.META)
    write(disk, 0, b"a", direct=True)
    return left(disk)


def test_what_a_failed_sync_should_have_stored_is_never_sure() -> None:
    disk = Disk()
    write(disk, 0, b"a")
    sync(disk, EIO)
    sync(disk)
    assert left(disk) == {b"", pages(b"\0"), pages(b"a")}
    write(disk, 0, b"b")
    sync(disk)
    assert left(disk) == {pages(b"b")}


def test_a_write_that_failed_left_nothing() -> None:
    disk = Disk()
    disk.happen(event(Kind.WRITING, 0, b"a" * PAGE))
    disk.happen(event(Kind.WRITTEN, 0, result=EIO))
    assert left(disk) == {b""}


def test_a_broker_may_have_died_in_its_last_write_and_in_no_other() -> None:
    for there in (b"", b"a" * PAGE):
        disk = Disk()
        disk.happen(event(Kind.WRITING, 0, b"a" * PAGE))
        disk.meet(there)
        assert disk.whole() == there
    disk = Disk()
    write(disk, 0, b"a")
    with pytest.raises(UnknownCall):
        disk.meet(b"")


def test_what_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownCall):
        Disk().happen(event(Kind.TRUNCATED))
