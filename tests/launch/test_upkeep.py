"""Whether broker and root are started again."""

from __future__ import annotations

import pytest

from scoop_ft.launch.upkeep import Again, BrokerUpkeep, GiveUp, RootEnded, RootUpkeep


def test_a_broker_that_served_is_always_started_again() -> None:
    upkeep = BrokerUpkeep()
    for number in range(1, 20):
        again = upkeep.ended(0, 9, was_up=True, lived_s=1.0, stderr=[])
        assert again == Again("the broker was killed by SIGKILL; started again")
        assert upkeep.restarts == number


def test_a_broker_that_fails_at_start_three_times_is_given_up_with_its_words() -> None:
    upkeep = BrokerUpkeep()
    words = ["Traceback ...", "ImportError: no lmdb", ""]
    assert isinstance(upkeep.ended(1, 0, was_up=False, lived_s=0.1, stderr=words), Again)
    assert isinstance(upkeep.ended(1, 0, was_up=False, lived_s=0.1, stderr=words), Again)
    end = upkeep.ended(1, 0, was_up=False, lived_s=0.1, stderr=words)
    assert isinstance(end, GiveUp)
    assert "ImportError: no lmdb" in end.text
    assert "\n" not in end.text
    assert end.exit_code == 1


def test_one_good_start_in_between_counts_anew() -> None:
    upkeep = BrokerUpkeep()
    for was_up in (False, False, True, False, False):
        assert isinstance(upkeep.ended(1, 0, was_up=was_up, lived_s=9.0, stderr=[]), Again)


def test_kills_from_outside_need_more_bad_luck() -> None:
    upkeep = BrokerUpkeep()
    for _ in range(5):
        assert isinstance(upkeep.ended(0, 9, was_up=False, lived_s=0.1, stderr=[]), Again)


def test_a_broker_that_was_told_to_end_is_not_at_fault() -> None:
    upkeep = BrokerUpkeep()
    for _ in range(20):
        assert isinstance(upkeep.ended(0, 0, was_up=True, lived_s=0.5, stderr=[]), Again)


def test_a_broker_that_keeps_failing_soon_after_its_start_is_given_up() -> None:
    upkeep = BrokerUpkeep()
    for _ in range(4):
        assert isinstance(upkeep.ended(1, 0, was_up=True, lived_s=0.5, stderr=[]), Again)
    assert isinstance(upkeep.ended(1, 0, was_up=True, lived_s=0.5, stderr=["why"]), GiveUp)
    upkeep = BrokerUpkeep()
    for _ in range(20):
        assert isinstance(upkeep.ended(1, 0, was_up=True, lived_s=60.0, stderr=[]), Again)


def test_a_broker_that_has_no_descriptor_left_is_not_given_up_once_it_has_served() -> None:
    words = ["Too many open files (src/ipc_listener.cpp:297)"]
    upkeep = BrokerUpkeep()
    for number in range(20):
        again = upkeep.ended(0, 6, was_up=number % 5 == 0, lived_s=0.5, stderr=words)
        assert isinstance(again, Again)
        assert "killed by SIGABRT (Too many open files" in again.text
        assert "ulimit -n" in again.text
    upkeep = BrokerUpkeep()
    for _ in range(2):
        assert isinstance(upkeep.ended(0, 6, was_up=False, lived_s=0.5, stderr=words), Again)
    end = upkeep.ended(0, 6, was_up=False, lived_s=0.5, stderr=words)
    assert isinstance(end, GiveUp)
    assert "ulimit -n" in end.text


@pytest.mark.parametrize("line", ["scoop-ft: error: it is damaged", "scoop-ft: it is damaged"])
def test_an_operators_error_is_passed_on_and_not_tried_again(line: str) -> None:
    end = BrokerUpkeep().ended(2, 0, was_up=False, lived_s=0.1, stderr=["noise", line])
    assert end == GiveUp("it is damaged", 2, at_start=True)


def test_a_script_that_ends_by_itself_decides_the_exit_code() -> None:
    for code in (0, 1, 7):
        assert RootUpkeep(3).ended(code, 0, done=0, recorded=None) == RootEnded(code)


def test_a_root_killed_after_its_end_was_recorded_has_ended() -> None:
    assert RootUpkeep(3).ended(0, 9, done=0, recorded=4) == RootEnded(4)


def test_a_root_that_dies_in_vain_is_given_up() -> None:
    upkeep = RootUpkeep(3)
    for _ in range(3):
        assert isinstance(upkeep.ended(0, 11, done=5, recorded=None), Again)
    end = upkeep.ended(0, 11, done=5, recorded=None)
    assert isinstance(end, GiveUp)
    assert end.exit_code == 139
    assert "SIGSEGV, 4 times in a row" in end.text


def test_progress_between_deaths_forgives_them() -> None:
    upkeep = RootUpkeep(1)
    for done in range(1, 30):
        assert isinstance(upkeep.ended(0, 9, done=done, recorded=None), Again)
    assert upkeep.restarts == 29
