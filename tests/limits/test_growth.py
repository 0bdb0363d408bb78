"""Long runs leave a journal hardly larger than what is in use (really long ones: `growth`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from .growth import grow

PARENTS = 6  # the first one alone, so that its children are spread
PAGES_BYTES = 256 << 10  # so little is not given back


@pytest.mark.usefixtures("nothing_left")
def test_sixty_thousand_tasks(tmp_path: Path) -> None:
    grown = grow(tmp_path, "grown", PARENTS, 0.5, workers=3)
    assert grown.tasks > 60_000
    assert grown.records > 4 * PARENTS, "no child has reached the journal"
    last = grown.curve[-1]
    assert last.file_bytes <= max(1.2 * last.live_bytes, last.live_bytes + PAGES_BYTES)
    assert last.live_bytes < 70_000, "descendants have outlived their parents"
    assert max(look.file_bytes for look in grown.curve) < 20_000_000


@pytest.mark.usefixtures("nothing_left")
def test_generations_of_functions_that_have_captured_their_state(tmp_path: Path) -> None:
    """Each is another function, of 180 kB: they were kept until the run was resumed."""
    grown = grow(tmp_path, "captured", 150, 0.2)
    last = grown.curve[-1]
    assert last.done == grown.tasks == 600
    assert last.live_bytes < 500_000, "what the states stand for has left"
    assert max(look.live_bytes for look in grown.curve) < 8_000_000


@pytest.mark.usefixtures("nothing_left")
def test_generations_of_a_script_that_saves_its_state(tmp_path: Path) -> None:
    grown = grow(tmp_path, "generations", 600, 0.2)
    last = grown.curve[-1]
    assert last.done == grown.tasks == 2_400
    assert grown.records > 1_200, "each generation and its results were recorded"
    # On the way a slow disk lets some generations pass before it has the next state.
    assert last.live_bytes < 60_000, "what the states stand for has left"
    assert last.file_bytes <= last.live_bytes + PAGES_BYTES
