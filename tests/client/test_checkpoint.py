"""What `checkpoint` says to wrong calls; without a run it saves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from scoop_ft import checkpoint


def test_without_a_run_there_is_the_default_and_nothing_is_saved() -> None:
    state = {"x": 1}
    assert checkpoint.load(state) is state
    assert checkpoint.save(state, every=0, wait=True) is False
    assert checkpoint.load() is None


@pytest.mark.parametrize("every", [-1, "30", None, float("nan")])
def test_every_is_a_number_of_seconds(every: Any) -> None:
    with pytest.raises(ValueError, match="every is a number of seconds"):
        checkpoint.save({}, every=every)
