"""Where a parent's children are found: what each resume has said of it is recorded as one."""

from __future__ import annotations

import random

from scoop_ft.broker.records import Kind

from .rig import Rig
from .test_leaving import kinds, moved_behind_a_state, same_after_restart


def in_another_order(rig: Rig, calls: list[str], seed: int) -> None:
    """Resume a run whose script submits its calls one by one, in an order of its own each time."""
    rig.peers.clear()
    rig.restart(resume=True)
    rig.worker()
    root = rig.root()
    random.Random(seed).shuffle(calls)
    for call in calls:
        root.submit(call)
    rig.settle()
    assert not root.missing()
    assert not root.wrong()


def test_where_calls_are_found_is_recorded_as_one_when_the_run_is_resumed() -> None:
    """Else a script that submits as results come leaves as many records with each resume."""
    rig = Rig(place_from=5)
    calls = [f"leaf:{number}" for number in range(20)]
    for seed in range(6):
        in_another_order(rig, calls, seed)
        assert kinds(rig)[Kind.BIND] <= len(calls) + 1
        same_after_restart(rig)
    assert sorted(rig.ran) == sorted(call.encode() for call in calls), "each once"
    rig.restart(resume=True)
    assert kinds(rig)[Kind.BIND] == 1
    same_after_restart(rig)


def test_places_that_are_said_many_at_a_time_are_recorded_as_one_too() -> None:
    """Few records may say much: calls that travel together, each found elsewhere."""
    rig = Rig()
    calls = [f"leaf:{number}" for number in range(60)]
    for seed in range(5):
        rig.peers.clear()
        rig.restart(resume=True)
        rig.worker()
        random.Random(seed).shuffle(calls)
        rig.root().submit(*calls)
        rig.settle()
        assert kinds(rig)[Kind.BIND] <= 3
        same_after_restart(rig)


def test_few_records_of_places_are_left_as_they_are() -> None:
    rig = Rig()
    calls = [f"leaf:{number}" for number in range(20)]
    in_another_order(rig, calls, 1)
    in_another_order(rig, calls, 2)
    before = kinds(rig)[Kind.BIND]
    rig.restart(resume=True)
    assert kinds(rig)[Kind.BIND] == before > 1


def test_places_that_nobody_has_any_more_stay_empty() -> None:
    """What was cut out of a batch is found by its content, and not where it once was."""
    rig = Rig(place_from=2)
    in_another_order(rig, ["leaf:0", "leaf:1", "leaf:2"], 0)
    for calls in (["leaf:2", "leaf:1"], ["leaf:1"], ["leaf:x", "leaf:2", "leaf:1", "leaf:y"]):
        for seed in range(3):
            in_another_order(rig, calls, seed)
            same_after_restart(rig)
    rig.restart(resume=True)
    same_after_restart(rig)


def test_what_a_state_stands_for_follows_from_the_places_before_it() -> None:
    """A call that was moved behind the state is there still, however often the run is resumed."""
    rig = Rig(place_from=1)
    moved_behind_a_state(rig)
    said = kinds(rig)
    for _ in range(2):
        rig.peers.clear()
        rig.restart(resume=True)
        found = kinds(rig)
        assert found[Kind.BATCH] == 1, "a may be asked for yet"
        assert found[Kind.BIND] == said[Kind.BIND]
        same_after_restart(rig)
