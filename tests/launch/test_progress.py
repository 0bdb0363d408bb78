"""The figures in words, and the bar: one line that fits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.launch import progress
from scoop_ft.launch.progress import Figures, Progress, Rate, format_age, format_rate

STATS = {
    "tasks": {"submitted": 5000, "done": 1234, "failed": 0, "resubmitted": 2, "reused": 10},
    "workers_known": 3,
    "workers_up": 2,
    "waiting": "",
}


def test_figures_in_words() -> None:
    shown = Progress(0.0)
    shown.update(Figures.of(STATS, 4, ""), 1.0)
    assert shown.plain() == (
        "1,234 of 5,000 tasks done, 0/s, 2 of 4 workers, 2 resubmitted, 10 reused"
    )
    said = "1,234 of 5,000 tasks done in 2.0 s, {}/s, 2 resubmitted, 10 reused"
    assert shown.last(2.0) == said.format(617)
    shown.done_before = 1000
    assert shown.last(2.0) == said.format(117)


def test_a_script_that_has_ended_well_did_not_wait_for_the_rest() -> None:
    """Calls that are recorded, and were not asked for again, are nobody's unfinished work."""
    tasks = {"submitted": 48, "done": 33, "pending": 14, "running": 1, "failed": 0}
    shown = Progress(0.0)
    shown.update(Figures.of({"tasks": tasks, "state": "done"}, 2, ""), 1.0)
    assert shown.last(1.0) == "33 tasks done in 1.0 s, 33/s, 15 not waited for"
    shown.update(Figures.of({"tasks": tasks, "state": "failed"}, 2, ""), 1.0)
    assert shown.last(1.0) == "33 of 48 tasks done in 1.0 s, 33/s"


def test_plain_lines_come_when_something_changed() -> None:
    shown = Progress(0.0)
    shown.update(Figures(done=1, submitted=2), 1.0)
    assert shown.plain_due(9.0) == ""
    assert shown.plain_due(10.0)
    assert shown.plain_due(20.0) == ""
    shown.update(Figures(done=2, submitted=2), 21.0)
    assert shown.plain_due(29.0) == ""
    assert shown.plain_due(30.0)


def test_waiting_is_said_when_it_lasts() -> None:
    shown = Progress(0.0)
    lack = Figures(submitted=2, waiting="no worker is connected")
    shown.update(lack, 0.5)
    assert "waiting" not in shown.plain()
    shown.update(lack, 1.5)
    assert shown.plain().endswith("; waiting: no worker is connected")


def test_the_rate_is_of_the_last_seconds() -> None:
    rate = Rate()
    for second in range(100):
        now = rate.update(second * 10, float(second))
    assert now == pytest.approx(10)
    for second in range(100, 120):
        now = rate.update(990, float(second))
    assert now == 0.0
    assert rate.update(0, 121.0) == 0.0


@pytest.mark.parametrize(
    ("rate", "text"), [(0, "0"), (0.123, "0.12"), (9.9, "9.9"), (12.6, "13"), (288_000, "288,000")]
)
def test_rates(rate: float, text: str) -> None:
    assert format_rate(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (61, "0:01:01"), (90_061, "1d 1:01:01")]
)
def test_ages(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


@given(
    width=st.integers(10, 200),
    submitted=st.integers(0, 10**9),
    part=st.floats(0, 1),
    waiting=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=200),
)
def test_the_bar_is_one_line_that_fits(
    width: int, submitted: int, part: float, waiting: str
) -> None:
    shown = Progress(0.0)
    shown.figures = Figures(submitted, int(submitted * part), workers=2, wanted=4, waiting=waiting)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "terminal_width", lambda: width)
        line = shown.draw().decode()
    assert "\n" not in line
    visible = re.sub(r"\x1b\[[0-9;]*m", "", line)
    from rich.cells import cell_len

    assert cell_len(visible) <= max(20, width - 3)
