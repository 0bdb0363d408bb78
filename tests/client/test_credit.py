"""Results come as there is room for them, and whoever waits for one gets it all the same."""

from __future__ import annotations

import gc

from scoop_ft.client.groups import Group
from scoop_ft.worker.session import OWED_BYTES

from ..broker.rig import Rig
from ..worker.test_session import started
from .joined import JoinedRoot

CALLS = [f"leaf:{number:02}" for number in range(20)]
ROOM = 200  # a result has some thirty bytes: a few of these


def submitted(rig: Rig) -> tuple[JoinedRoot, Group]:
    """Return a root that does not wait, when all its children have ended."""
    root = JoinedRoot(rig, ROOM)
    group = root.submit(*CALLS)
    root.send()
    rig.worker()
    rig.settle()
    assert rig.stats["done"] == len(CALLS)
    return root, group


def come(group: Group) -> int:
    return group.count - group.missing


def test_what_there_is_no_room_for_waits_in_the_journal() -> None:
    rig = Rig()
    root, group = submitted(rig)
    few = come(group)
    assert 0 < few < len(CALLS) / 2
    assert root.real.room.held() < 2 * ROOM
    rig.settle()
    assert come(group) == few


def test_results_that_were_taken_make_room() -> None:
    rig = Rig()
    root, group = submitted(rig)
    taken = 0
    while taken < len(CALLS):
        found = group.find(taken)
        assert found is not None, f"number {taken} has not come, though all before it were taken"
        assert CALLS[taken].encode() in bytes(found[0].data(found[1])[0])
        del found
        group.let_go(taken)
        taken += 1
        assert root.real.room.held() < 2 * ROOM
        root.send()
        rig.settle()
    gc.collect()
    assert root.real.room.held() == 0


def test_results_that_others_may_ask_for_are_kept() -> None:
    """A future and a map may have calls in one batch."""
    rig = Rig()
    root = JoinedRoot(rig)
    group = root.submit("leaf:of a future", "leaf:1", "leaf:2", "leaf:3")
    root.send()
    rig.worker()
    rig.settle()
    for index in range(1, 4):
        group.let_go(index)
    found = group.find(0)
    assert found is not None
    assert b"of a future" in bytes(found[0].data(found[1])[0])
    del found
    group.let_go(0)
    assert all(not chunk.data(position)[0] for _, _, chunk, position in group.arrivals)


def test_who_waits_gets_all_there_is() -> None:
    rig = Rig()
    root, group = submitted(rig)
    root.real.room.waits += 1
    root.send()
    rig.settle()
    assert come(group) == len(CALLS)


def test_on_a_new_connection_there_is_no_more_room_than_on_the_one_before() -> None:
    rig = Rig()
    root, group = submitted(rig)
    few = come(group)
    rig.cut(root)  # type: ignore[arg-type]
    root.connect()
    rig.settle()
    assert come(group) - few <= 1  # room for none is room for one: none of it would mean no limit
    root.real.room.waits += 1
    root.send()
    rig.settle()
    assert come(group) == len(CALLS)


def test_another_broker_holds_back_too() -> None:
    rig = Rig()
    root, group = submitted(rig)
    few = come(group)
    rig.restart()
    root.connect()
    rig.settle()
    assert come(group) - few <= 1
    root.real.room.waits += 1
    root.send()
    rig.settle()
    assert come(group) == len(CALLS)


def test_a_worker_that_owes_much_begins_nothing_more() -> None:
    rig = Rig()
    _, worker = started(rig, "a", "b")
    session = worker.real
    assert session.may_begin()
    worker.finish(worker.begin(), bytes(OWED_BYTES))
    worker.send()
    assert not session.may_begin(), "what it has done is not synced"
    rig.commit()
    worker.handle()
    assert session.may_begin()


def test_whoever_waits_on_a_full_disk_gets_what_is_recorded() -> None:
    rig = Rig()
    root, group = submitted(rig)
    rig.broker.full = "the disk is full"
    root.submit("leaf:more")  # is turned away
    root.send()
    rig.settle()
    root.real.room.waits += 1
    root.send()
    rig.settle()
    assert come(group) == len(CALLS)


def test_nobody_waits_for_the_children_of_a_parent_that_has_ended() -> None:
    """It wanted to be called when their results come, and has ended before."""
    rig = Rig()
    _, worker = started(rig, "parent")
    scope = worker.parent(worker.begin())
    scope.called_for = 2
    worker.real.room.waits = 3
    worker.real.end(scope)
    assert worker.real.room.waits == 1
