"""Futures and maps: the promises of PEP 3148 and of SCOOP's names, in the root and in tasks."""

from __future__ import annotations

import pytest

from .conftest import Run, is_ok


@pytest.mark.parametrize("workers", [1, 2])
def test_what_pep_3148_says(run: Run, workers: int) -> None:
    assert is_ok(run("future_api.py", workers=workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_map_and_its_kin(run: Run, workers: int) -> None:
    assert is_ok(run("mapping.py", workers=workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_maps_over_numbers(run: Run, workers: int) -> None:
    assert is_ok(run("map_numbers.py", workers=workers))


def test_results_that_cannot_be_loaded(run: Run) -> None:
    assert is_ok(run("unloadable.py"))


@pytest.mark.parametrize("workers", [1, 2])
def test_no_call_sees_what_another_one_left(run: Run, workers: int) -> None:
    assert is_ok(run("state.py", workers=workers))
