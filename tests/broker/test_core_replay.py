"""A parent that is run again meets its records: what is reused, what runs, and what never may be.

A new root is a new session that submits from ordinal 0 on, as a script does that is started again.
"""

from __future__ import annotations

import random

import pytest

from scoop_ft.broker import figures
from scoop_ft.broker.records import Kind, decode_bind
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id
from scoop_ft.wire import messages as wire

from .made_up import expected, packed_ends
from .peers import FakeRoot
from .rig import Rig, function, taken

CALLS = [f"leaf:{number}" for number in range(12)]


def finished(calls: list[str] = CALLS) -> Rig:
    """Return a run whose root submitted this and died with all results there."""
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit(*calls)
    rig.settle()
    assert not root.missing()
    rig.ran.clear()
    return rig


def check(rig: Rig, root: FakeRoot) -> None:
    rig.settle()
    assert not root.missing()
    assert not root.wrong()


def test_the_same_script_is_served_from_the_journal() -> None:
    rig = finished()
    root = rig.root()
    root.submit(*CALLS)
    check(rig, root)
    assert rig.ran == []
    assert rig.stats["reused"] == len(CALLS)
    assert rig.stats["submitted"] == len(CALLS)
    assert figures.mismatches(rig.broker) == 0
    assert not root.kept


def test_other_batches_of_the_same_calls() -> None:
    """Where a batch ends depends on time: it says nothing about the calls."""
    rig = finished()
    root = rig.root()
    for begin in range(0, len(CALLS), 5):
        root.submit(*CALLS[begin : begin + 5])
    check(rig, root)
    assert rig.ran == []
    assert rig.stats["reused"] == len(CALLS)


def test_after_a_restart_of_everything() -> None:
    rig = finished()
    rig.peers.clear()
    rig.restart(resume=True)
    root = rig.root()
    rig.worker()
    root.submit(*CALLS)
    check(rig, root)
    assert rig.ran == []


def test_other_arguments_run_as_new_and_are_counted() -> None:
    rig = finished()
    root = rig.root()
    root.submit(*CALLS[:4], "leaf:x", "leaf:y", *CALLS[6:])
    check(rig, root)
    assert sorted(rig.ran) == [b"leaf:x", b"leaf:y"]
    assert figures.mismatches(rig.broker) == 2
    assert rig.stats["reused"] == len(CALLS) - 2


def test_calls_in_another_order_are_found() -> None:
    rig = finished()
    shuffled = CALLS[:]
    random.Random(1).shuffle(shuffled)
    for order in (shuffled, CALLS, CALLS[::-1]):
        root = rig.root()
        for call in order:
            root.submit(call)
        check(rig, root)
        assert rig.ran == []
        assert figures.mismatches(rig.broker) == 0


def test_a_moved_call_has_left_its_old_place() -> None:
    """Its result is not delivered for the ordinal it once had, which is another call's now."""
    rig = finished(["leaf:a", "leaf:b"])
    root = rig.root()
    root.arguments = [b"leaf:b", b"leaf:a"]
    root.submit_batch(ROOT_ID, bytes(16), 0, [b"leaf:b"])
    rig.settle()
    assert root.results == {0: (0, expected(b"leaf:b"))}
    root.submit_batch(ROOT_ID, bytes(16), 1, [b"leaf:a"])
    rig.settle()
    assert root.results == {o: (0, expected(a)) for o, a in enumerate(root.arguments)}


def test_calls_left_out_and_calls_put_in() -> None:
    rig = finished()
    root = rig.root()
    root.submit(*CALLS[3:6], "leaf:new", *CALLS[:3])
    check(rig, root)
    assert rig.ran == [b"leaf:new"]


def test_identical_calls_keep_their_own_results() -> None:
    rig = finished(["leaf:a"] * 5)
    root = rig.root()
    root.submit("leaf:a", "leaf:a", "leaf:a")
    root.submit("leaf:a", "leaf:a", "leaf:a", "leaf:a")
    check(rig, root)
    assert len(rig.ran) == 2
    tasks = {rig.broker.book.families[ROOT_ID].find(ordinal) for ordinal in range(7)}
    assert len(tasks) == 7


def test_a_replay_said_again_is_no_new_work() -> None:
    """The acknowledgement of a submission that met its records is lost: it is sent once more."""
    rig = finished()
    root = rig.root()
    root.submit(*CALLS)
    rig.cut(root)
    root.connect()
    check(rig, root)
    assert rig.ran == []
    assert rig.stats["submitted"] == len(CALLS)
    assert figures.mismatches(rig.broker) == 0


@pytest.mark.parametrize("committed", [False, True])
def test_a_replay_said_again_to_the_next_broker(committed: bool) -> None:
    rig = finished()
    root = rig.root()
    calls = ["leaf:x", *CALLS[2:8], "leaf:y", *CALLS[8:]]
    root.submit(*calls)
    if committed:
        rig.dispatch()
        rig.broker.drop_records()
        rig.journal.commit()
    rig.restart()
    root.connect()
    worker = next(peer for peer in rig.peers.values() if peer.role == "worker")
    worker.connect()
    rig.tick(3.0)
    check(rig, root)
    assert sorted(rig.ran) == [b"leaf:x", b"leaf:y"]


def test_an_unheard_mismatch_is_not_served_what_stood_there() -> None:
    """The broker dies before it could record that a call changed: the old result is not its."""
    rig = finished()
    root = rig.root()
    root.submit("leaf:changed", *CALLS[1:])
    rig.restart()
    root.connect()
    rig.flush()
    root.handle()
    assert 0 not in root.results
    rig.tick(3.0)
    for peer in rig.peers.values():
        if peer.role == "worker":
            peer.connect()
    check(rig, root)
    assert rig.ran == [b"leaf:changed"]


def test_a_parent_run_again_finds_its_children() -> None:
    rig = Rig()
    root, first = rig.root(), rig.worker()
    agent = rig.agent()
    root.submit("tree:3:a")
    rig.dispatch()
    first.handle()
    first.step()  # the parent waits
    first.step()  # one child is done
    rig.commit()
    rig.vanish(first)
    agent.gone(first)
    rig.ran.clear()
    second = rig.worker()
    check(rig, root)
    assert rig.ran.count(b"leaf:a.0") == 0
    assert sorted(rig.ran) == [b"leaf:a.1", b"leaf:a.2", b"tree:3:a"]
    (run,) = [m for m in second.all_of(wire.Run) if m.replayed]
    assert run.replayed == [0]


def test_failed_tasks_are_tried_again_on_resume_only() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    worker.finish(worker.queue.popleft(), b"why", int(wire.Status.RAISED))
    rig.settle()
    again = rig.root()
    again.submit("leaf:a")
    rig.settle()
    assert again.results[0] == (wire.Status.RAISED, b"why")
    rig.peers.clear()
    rig.restart(resume=True)
    assert rig.stats["failed"] == 0
    third = rig.root()
    rig.worker()
    third.submit("leaf:a")
    check(rig, third)
    assert third.results[0][0] == wire.Status.OK
    rig.peers.clear()
    rig.restart()
    assert rig.stats["done"] == 1
    assert rig.stats["failed"] == 0


def test_another_function_is_another_call() -> None:
    rig = finished(["leaf:a"])
    root = rig.root()
    other, blob = function("other")
    root.arguments = [b"leaf:a"]
    root.keep(wire.Define(root.number(), other, "other"), [blob])
    root.keep(
        wire.Submit(
            root.number(), batch_id(root.session, 1), ROOT_ID, ROOT_LINEAGE, 0, 1, [other], b"",
            packed_ends([b"leaf:a"]), [], [],
        ),
        [b"leaf:a"],
    )  # fmt: skip
    check(rig, root)
    assert rig.ran == [b"leaf:a"]
    assert figures.mismatches(rig.broker) == 1


def test_what_is_found_elsewhere_comes_together() -> None:
    """One message for each record that holds results, and not one for each task."""
    rig = Rig(gather_from=2)
    root, worker = rig.root(), rig.worker()
    root.submit(*CALLS)
    taken(rig, worker, len(CALLS))
    rig.settle()  # each has ended by itself
    rig.ran.clear()
    root = rig.root()
    order = [CALLS[n] for n in (5, 2, 9, 10, 11, 0, 1, 3, 4, 8, 7, 6)]
    root.submit(*order)
    check(rig, root)
    assert rig.ran == []
    (m,) = root.all_of(wire.Deliver)
    assert len(m.shifts) == len(m.ranges)
    assert figures.mismatches(rig.broker) == 0


def test_calls_that_follow_one_another_as_they_did_are_bound_as_one() -> None:
    rig = finished()
    root = rig.root()
    root.submit(*CALLS[8:], *CALLS[:8])
    check(rig, root)
    (bind,) = [
        decode_bind(record.header) for _, record in rig.journal.scan() if record.kind == Kind.BIND
    ]
    assert [(ordinal, count, index) for ordinal, count, _, index in bind.slots] == [
        (0, 4, 8), (4, 8, 0),
    ]  # fmt: skip
    assert rig.stats["reused"] == len(CALLS)
