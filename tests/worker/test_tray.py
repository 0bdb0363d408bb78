"""A tray gives back all results, each once and in order, whenever somebody looks."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.columns import KINDS
from scoop_ft.payload import Packed, load
from scoop_ft.worker.spans import Piece, Span
from scoop_ft.worker.tray import Tray

results = st.integers() | st.floats(allow_nan=False) | st.none() | st.booleans() | st.text()
#: What the runner lays down next, or what else happens before that.
events = st.lists(results.map(lambda value: (value,)) | st.sampled_from(["take", "next piece"]))


def put(tray: Tray, value: Any) -> None:
    """Do what a runner does with a result."""
    if type(value) in KINDS and not tray.packer.count:
        tray.numbers.append(value)
    else:
        assert tray.packer.pack(value) is None


def unpacked(packed: Packed) -> list[Any]:
    ends = memoryview(packed.ends).cast("I").tolist()
    return [load(packed.payload[a:z]) for a, z in zip([0, *ends], ends, strict=False)]


@given(events)
def test_everything_comes_once_and_in_order(events: list[Any]) -> None:
    count = sum(isinstance(event, tuple) for event in events)
    span = Span(
        b"b" * 16, 0, count or 1, functions=[b"f"], which=b"", ends=b"", base=0, payload=b"",
        buffers={}, lineage=b"", ordinal=0,
    )  # fmt: skip
    piece = Piece(span, 0, count)
    tray = Tray(piece)
    expected, found = [], []

    def take() -> None:
        taken = tray.take()
        if taken is not None:
            first, packed = taken
            assert first == len(found)
            assert packed.objects == len(unpacked(packed))
            found.extend(unpacked(packed))

    for event in events:
        if event == "take":
            take()
        elif event == "next piece":
            tray.close()
            piece = Piece(span, piece.next, count)
            assert tray.goes_on(piece)
        else:
            piece.next += 1
            expected.append(event[0])
            put(tray, event[0])
    tray.close()
    assert tray.held() == (len(found), len(expected))
    take()
    assert list(map(repr, found)) == list(map(repr, expected))
    assert tray.take() is None


def test_what_was_packed_as_it_was_closed_is_told_apart() -> None:
    span = Span(
        b"b" * 16, 0, 3, functions=[b"f"], which=b"", ends=b"", base=0, payload=b"",
        buffers={}, lineage=b"", ordinal=0,
    )  # fmt: skip
    tray = Tray(Piece(span, 0, 3))
    put(tray, 1)
    put(tray, "two")
    tray.close()
    put(tray, "three")
    taken = tray.take()
    assert taken is not None
    assert unpacked(taken[1]) == [1, "two"]
    assert unpacked(tray.last()) == ["three"]
