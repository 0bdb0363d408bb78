"""What people type for a duration, and why a run is stopped."""

from __future__ import annotations

import math
import signal

import click
import pytest

from scoop_ft.launch.duration import Duration, seconds, written
from scoop_ft.launch.stopping import asked_by


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("3h50m", 13_800),
        ("1d", 86_400),
        ("1.5h", 5_400),
        ("1d2h3m4s", 93_784),
        ("3:50", 13_800),
        ("03:50:00", 13_800),
        ("100:00:00", 360_000),
        ("1-12:00:00", 129_600),
        (" 10M ", 600),
        ("0.5s", 0.5),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("90", "is not a duration: write 90s, 3h50m, 1d or HH:MM:SS"),
        ("", "is not a duration"),
        ("3:75", "is not a duration"),
        ("-5s", "is not a duration"),
        ("5 s", "is not a duration"),
        ("soon", "is not a duration"),
        ("nan s", "is not a duration"),
        ("5m3h", "in another order"),
        ("5m5m", "twice"),
        ("0s", "is no time at all"),
        ("00:00", "is no time at all"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        seconds(text)


@pytest.mark.parametrize("text", ["6s", "1h", "1m30s", "2d4h", "1h1s"])
def test_one_is_written_as_it_is_typed(text: str) -> None:
    assert written(seconds(text)) == text
    assert written(0.5) == "0s"


def test_where_there_may_be_none_at_all_0_is_endless() -> None:
    assert Duration(or_never=True).convert("0", None, None) == math.inf
    assert Duration(or_never=True).convert("90s", None, None) == 90
    with pytest.raises(click.BadParameter):
        Duration().convert("0", None, None)


def test_what_schedulers_send_says_resume_me_and_gives_time_to_save() -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1):
        stop = asked_by(number)
        assert stop is not None
        assert (stop.exit_code, stop.patience_s) == (75, 10.0)
    at_the_terminal = asked_by(signal.SIGINT)
    assert at_the_terminal is not None
    assert (at_the_terminal.exit_code, at_the_terminal.patience_s) == (130, 0.9)
    assert asked_by(signal.SIGCHLD) is None
    assert asked_by(signal.SIGWINCH) is None
