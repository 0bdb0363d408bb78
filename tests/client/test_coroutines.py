"""Functions whose calls give coroutines: refused at once, with what to submit."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import pytest

from scoop_ft import futures, options
from scoop_ft.client.scopes import define
from scoop_ft.errors import UnpicklableError

SAID = r"fetch is async: .*; submit a function that returns asyncio\.run\(fetch\(\.\.\.\)\)$"


async def fetch(x: int) -> int:
    return x


class Fetcher:
    async def fetch(self, x: int) -> int:
        return x


@pytest.mark.parametrize("func", [fetch, options(fetch, time_limit=5)])
def test_in_a_run(func: Callable[..., Any]) -> None:
    with pytest.raises(UnpicklableError, match=SAID):
        define(func)


@pytest.mark.parametrize("func", [functools.partial(fetch, 1), Fetcher().fetch])
def test_what_is_made_of_one(func: Callable[..., Any]) -> None:
    with pytest.raises(UnpicklableError, match=r"fetch.* is async: "):
        define(func)


@pytest.mark.parametrize(
    "call",
    [
        lambda: futures.submit(fetch, 1),
        lambda: futures.map(fetch, [1]),
        lambda: futures.map_as_completed(fetch, [1], buffersize=2),
        lambda: futures.map_reduce(fetch, operator.add, [1, 2]),
        lambda: futures.once(fetch, 1),
    ],
)
@pytest.mark.filterwarnings("ignore:running serially")
def test_without_a_run_it_is_the_same(call: Callable[[], Any]) -> None:
    with pytest.raises(UnpicklableError, match=SAID):
        call()


def test_a_chunksize_is_taken_and_changes_nothing() -> None:
    assert list(futures.map(abs, [-1, 2], chunksize=2)) == [1, 2]
    assert sorted(futures.map_as_completed(abs, [-1, 2], chunksize=2)) == [1, 2]
    with pytest.raises(ValueError, match="chunksize must be >= 1"):
        futures.map(abs, [1], chunksize=0)
