"""How far a map with a buffer reads ahead: of how many results were taken, and of nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.client import buffered
from scoop_ft.client.buffered import Buffer
from scoop_ft.client.scopes import BATCH_TASKS

Piece = list[tuple[int, ...]]


class Source:
    """Submits nothing, and remembers what was read at once."""

    def __init__(self, size: int, count: int | None = None) -> None:
        self.reads: list[int] = []
        numbers = itertools.count() if count is None else range(count)
        self.buffer: Buffer[Piece] = Buffer(((n,) for n in numbers), size, self._submit, len)

    def _submit(self, calls: Iterable[tuple[int, ...]], longest: int) -> list[Piece]:
        read = list(calls)
        self.reads.append(len(read))
        return [read[k : k + longest] for k in range(0, len(read), longest)]

    def results(self) -> Iterator[int]:
        return buffered.in_order(self.buffer, lambda piece: (n for (n,) in piece))


@given(st.integers(1, 400), st.integers(0, 900))
def test_at_most_the_buffer_is_out_and_at_least_half_of_it(size: int, taken: int) -> None:
    source = Source(size)
    assert list(itertools.islice(source.results(), taken)) == list(range(taken))
    out = sum(source.reads) - taken
    assert out <= size
    assert out >= size // 2 - 1


@given(st.integers(1, 100), st.integers(0, 300))
def test_all_is_handed_over_once_and_nothing_is_read_after_the_end(size: int, count: int) -> None:
    source = Source(size, count)
    assert list(source.results()) == list(range(count))
    assert sum(source.reads) == count


@pytest.mark.parametrize("size", [8, 1_000, 1_000_000])
def test_it_never_reads_on_for_a_single_call(size: int) -> None:
    source = Source(size)
    for _ in itertools.islice(source.results(), 3 * min(size, 20_000)):
        pass
    assert source.reads[0] == size
    assert min(source.reads) >= min(size // 4, BATCH_TASKS)
