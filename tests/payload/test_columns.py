"""Columns of numbers are what pickle writes, byte for byte, and come back as they were."""

from __future__ import annotations

import math
import pickle
from array import array
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_ft import columns

EDGES = [0, 0xFF, 0x100, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0x8000_0000, -1, -0x8000_0000, 1 << 70]
integers = st.sampled_from(EDGES) | st.integers(-(1 << 33), 1 << 33)
widths = st.sampled_from([(0, 0xFF), (0x100, 0xFFFF), (0x10000, 0x7FFF_FFFF), (-0x8000_0000, -1)])
alike = st.one_of(
    widths.flatmap(lambda bounds: st.lists(st.integers(*bounds), min_size=1, max_size=40)),
    st.lists(st.floats(), min_size=1, max_size=40),
    st.lists(st.just(None), min_size=1, max_size=40),
    st.sampled_from([[True] * 9, [False] * 9]),
)
mixed = st.lists(integers | st.floats() | st.booleans() | st.none() | st.text(), max_size=12)


def pickled(values: list[Any]) -> tuple[bytes, array[int]]:
    each = [pickle.dumps(value, 5) for value in values]
    return b"".join(each), array("I", accumulate(map(len, each)))


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same to the bit: NaN is, 1 and True are not."""
    return type(one) is type(other) and pickle.dumps(one, 5) == pickle.dumps(other, 5)


@given(alike)
def test_numbers_of_one_form(values: list[Any]) -> None:
    payload, ends = pickled(values)
    assert columns.dump(values, -1) == (payload, ends[0])
    assert columns.ends(0, ends[0], len(values)) == ends
    found = columns.load(payload, ends, 0)
    assert found is not None
    assert all(same(a, b) for a, b in zip(values, found, strict=True))


@given(st.lists(alike, min_size=1, max_size=3))
def test_calls_with_numbers_of_one_form(arguments: list[list[Any]]) -> None:
    calls = list(zip(*arguments, strict=False))
    payload, ends = pickled(calls)
    assert columns.dump(calls, len(arguments)) == (payload, ends[0])
    found = columns.load(payload, ends, 0)
    assert found is not None
    assert all(same(a, b) for a, b in zip(calls, found, strict=True))


@given(alike, st.integers(0, 5000))
def test_a_part_of_a_batch(values: list[Any], before: int) -> None:
    payload, ends = pickled(values)
    found = columns.load(payload, columns.ends(before, ends[0], len(values)), before)
    assert found is not None
    assert all(same(a, b) for a, b in zip(values, found, strict=True))


@given(mixed)
def test_what_is_mixed_is_the_same_or_refused(values: list[Any]) -> None:
    payload, ends = pickled(values)
    if values:
        dumped = columns.dump(values, -1)
        assert dumped is None or dumped[0] == payload
        found = columns.load(payload, ends, 0)
        assert found is None or all(same(a, b) for a, b in zip(values, found, strict=True))
    if all(type(value) in columns.KINDS for value in values):
        assert columns.dump_each(values) == (payload, ends)


@given(st.lists(st.lists(integers | st.floats(), max_size=4).map(tuple), min_size=1, max_size=9))
def test_calls_with_different_arguments_are_the_same_or_refused(calls: list[Any]) -> None:
    payload, ends = pickled(calls)
    dumped = columns.dump(calls, len(calls[0]))
    assert dumped is None or dumped[0] == payload
    found = columns.load(payload, ends, 0)
    assert found is None or all(same(a, b) for a, b in zip(calls, found, strict=True))


@given(alike, st.data())
def test_what_is_damaged_is_refused_or_another_number(
    values: list[Any], data: st.DataObject
) -> None:
    payload, ends = pickled(values)
    at = data.draw(st.integers(0, len(payload) - 1))
    damaged = bytearray(payload)
    damaged[at] ^= data.draw(st.integers(1, 255))
    found = columns.load(damaged, ends, 0)
    if found is not None:
        begins = [0, *ends]
        loaded = [pickle.loads(damaged[a:z]) for a, z in zip(begins, ends, strict=False)]
        assert all(same(a, b) for a, b in zip(loaded, found, strict=True))


@given(st.binary(max_size=60), st.lists(st.integers(0, 70), min_size=1, max_size=6))
def test_what_is_no_pickle_is_refused(payload: bytes, ends: list[int]) -> None:
    assert columns.load(payload, array("I", ends), 0) is None


def test_subclasses_are_left_to_pickle() -> None:
    class Count(int):
        pass

    assert columns.dump([Count(3)] * 9, -1) is None
    assert columns.dump([(Count(3),)] * 9, 1) is None
    assert columns.dump([True, 1] * 5, -1) is None


@pytest.mark.parametrize("value", [-0.0, math.inf, -math.inf, math.nan, 5e-324])
def test_floats_keep_every_bit(value: float) -> None:
    payload, ends = pickled([value] * 9)
    found = columns.load(payload, ends, 0)
    assert found is not None
    assert all(same(value, each) for each in found)


def test_more_than_the_multiples_at_hand() -> None:
    count = columns.MULTIPLES + 10
    for before in (0, 5, 15):
        expected = array("I", [before + 5 * (i + 1) for i in range(count)])
        assert columns.ends(before, 5, count) == expected


@pytest.mark.parametrize("first", EDGES)
@pytest.mark.parametrize("second", EDGES)
def test_integers_of_two_forms_are_the_same_or_refused(first: int, second: int) -> None:
    values = [first, second]
    dumped = columns.dump(values, -1)
    assert dumped is None or dumped[0] == pickled(values)[0]
    assert columns.dump_each(values * 8) == pickled(values * 8)
