"""Records that no longer say anything leave the journal, and what it says stays the same."""

from __future__ import annotations

from collections import Counter

import pytest

from scoop_ft.broker import leaving
from scoop_ft.broker.leaving import Remembered
from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import FAILED, HELD
from scoop_ft.ids import ROOT_ID
from scoop_ft.wire import messages as wire

from .rig import Rig, taken
from .test_core_kept import checkpoint
from .test_core_recovery import commit_and_compare


def kinds(rig: Rig) -> Counter[Kind]:
    """Return how many records there are of each kind."""
    rig.commit()
    return Counter(Kind(record.kind) for _, record in rig.journal.scan())


def same_after_restart(rig: Rig) -> None:
    """The journal holds what the broker knows, and nothing more than it needs."""
    commit_and_compare(rig)
    before = dict(rig.journal.scan())
    rig.restart()
    rig.commit()
    after = dict(rig.journal.scan())
    assert before.keys() == after.keys()
    rig.tick(5)  # nobody of before comes back


def test_a_worker_that_is_gone_leaves_one_record_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    rig.broker.book.dead._most = 5
    agent = rig.agent()
    rig.root()
    for number in range(20):
        worker = rig.worker(agent)
        assert kinds(rig)[Kind.MEMBER] == 1 + min(number, 5)
        agent.gone(worker, signal=0)
        rig.vanish(worker)
    assert kinds(rig)[Kind.MEMBER] == 5
    commit_and_compare(rig)
    monkeypatch.setattr(leaving.Remembered.__init__, "__defaults__", (5,))
    same_after_restart(rig)


def test_a_worker_that_was_only_lost_is_a_member_again() -> None:
    rig = Rig()
    agent = rig.agent()
    worker = rig.worker(agent)
    rig.cut(worker)
    rig.tick(10)
    assert worker.session in rig.broker.book.dead
    assert kinds(rig)[Kind.MEMBER] == 1
    worker.connect()
    assert worker.session not in rig.broker.book.dead
    assert set(rig.broker.book.members) == {worker.session}
    assert kinds(rig)[Kind.MEMBER] == 1
    same_after_restart(rig)


def test_a_death_told_again_to_the_next_broker_is_not_counted_again() -> None:
    """Its record is what says so: it stays when the joining leaves."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a")
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    agent.gone(worker, task=worker.queue[0].id)
    rig.vanish(worker)
    rig.commit()
    agent.kept.clear()
    agent.inbox.clear()  # the acknowledgement is lost with the broker
    rig.restart()
    rig.root()
    agent.connect()
    agent.handle()
    agent.gone(worker, task=worker.queue[0].id)
    (batch,) = rig.broker.book.batches.values()
    assert batch.attempts == {0: 1}


def test_crashes_leave_with_the_end_of_their_task() -> None:
    rig = Rig(max_attempts=5)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", "leaf:b")
    for _ in range(2):
        worker = rig.worker(agent)
        taken(rig, worker, 1)
        agent.gone(worker, task=worker.queue[0].id)
        rig.vanish(worker)
    assert kinds(rig)[Kind.CRASH] == 2
    same_after_restart(rig)
    rig.root().submit("leaf:a", "leaf:b")
    rig.worker()
    rig.settle()
    assert rig.stats["done"] == 2
    assert kinds(rig)[Kind.CRASH] == 0
    same_after_restart(rig)


def test_crashes_and_the_end_leave_when_the_run_is_resumed() -> None:
    rig = Rig(max_attempts=5)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a")
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    agent.gone(worker, task=worker.queue[0].id)
    root.end(1)
    assert kinds(rig)[Kind.CRASH] == kinds(rig)[Kind.END] == 1
    for _ in range(3):
        rig.restart(resume=True)
        found = kinds(rig)
        assert found[Kind.CRASH] == found[Kind.END] == found[Kind.RETRY] == 0
        assert rig.broker.book.exit_code is None
        same_after_restart(rig)


def test_of_several_ends_the_last_one_stays() -> None:
    rig = Rig()
    for code in (3, 1, 0):
        root = rig.root()
        root.end(code)
        assert kinds(rig)[Kind.END] == 1
        assert rig.broker.book.exit_code == code
    same_after_restart(rig)


def test_what_a_replay_has_bound_leaves_with_its_parent() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("tree:3:x")
    worker = rig.worker()
    worker.claims = False
    taken(rig, worker, 1)
    worker.step()
    rig.commit()
    rig.vanish(worker)
    rig.tick(10)
    other = rig.worker()
    other.claims = False
    taken(rig, other, 1)
    item = other.queue[0]
    other.submit_batch(item.id, item.place, 0, [b"leaf:x.2", b"leaf:x.1", b"leaf:y"])
    assert kinds(rig)[Kind.BIND] == 1
    same_after_restart(rig)
    rig.root().submit("tree:3:x")
    rig.worker()
    rig.settle()
    assert kinds(rig)[Kind.BATCH] == 1
    assert kinds(rig)[Kind.BIND] == 0
    same_after_restart(rig)


def failing(rig: Rig, *failed: int) -> None:
    """Run two tasks of one batch, reported in one message; some of them fail."""
    root = rig.root()
    root.submit("leaf:a", "leaf:b")
    worker = rig.worker()
    taken(rig, worker, 2)
    items = sorted(worker.queue, key=lambda item: item.index)
    worker.queue.clear()
    status = bytes(wire.Status.RAISED if number in failed else 0 for number in (0, 1))
    worker.keep(
        wire.Results(
            worker.number(), items[0].batch, [(0, 2)], status, (1).to_bytes(4, "little") +
            (2).to_bytes(4, "little"), [], 0, 0, False,
        ),
        [b"xy"],
    )  # fmt: skip
    rig.vanish(worker)
    rig.commit()


def test_that_failures_are_tried_again_is_recorded_only_while_it_must_be() -> None:
    rig = Rig()
    failing(rig, 0, 1)
    rig.restart(resume=True)
    found = kinds(rig)
    assert found[Kind.RETRY] == found[Kind.RESULTS] == 0
    same_after_restart(rig)


def test_a_failure_beside_a_result_stays_undone_however_often_it_is_resumed() -> None:
    rig = Rig()
    failing(rig, 1)
    for _ in range(3):
        rig.restart(resume=True)
        found = kinds(rig)
        assert found[Kind.RETRY] == found[Kind.RESULTS] == 1
        (batch,) = rig.broker.book.batches.values()
        assert batch.state[1] == HELD
        same_after_restart(rig)
    root = rig.root()
    root.submit("leaf:a", "leaf:b")
    rig.worker()
    rig.settle()
    assert root.results[1] == (0, b"[leaf:b]")  # the second one counts
    same_after_restart(rig)
    (batch,) = rig.broker.book.batches.values()
    assert len(batch.results) == 2


def test_kept_failures_keep_their_results_and_lose_their_attempts() -> None:
    rig = Rig(max_attempts=5)
    failing(rig, 0)
    for _ in range(2):
        rig.journal.crash()
        rig.incarnation += 1
        rig.broker = type(rig.broker)(rig.journal, "a-run", incarnation=rig.incarnation)
        rig.broker.recover(rig.journal.scan(), resume=True, now=rig.now, keep_failed=True)
        rig.journal.commit()
        (batch,) = rig.broker.book.batches.values()
        assert batch.state[0] == FAILED
        assert kinds(rig)[Kind.RETRY] == 0
    root = rig.root()
    root.submit("leaf:a", "leaf:b")
    rig.settle()
    assert root.results == {0: (1, b"x"), 1: (0, b"y")}


def test_deaths_that_a_checkpoint_forgives_are_forgiven_by_the_next_broker_too() -> None:
    rig = Rig(max_attempts=5)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a")
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    agent.gone(worker, task=worker.queue[0].id)
    rig.vanish(worker)
    other = rig.worker(agent)
    taken(rig, other, 1)
    assert kinds(rig)[Kind.CRASH] == 1
    checkpoint(other, other.queue[0].id, 0, 0, b"further")
    assert kinds(rig)[Kind.CRASH] == 0
    same_after_restart(rig)
    (batch,) = rig.broker.book.batches.values()
    assert not batch.attempts


def test_what_a_replay_of_the_script_has_bound_leaves_with_a_checkpoint() -> None:
    rig = Rig()
    rig.root().submit("leaf:a", "leaf:b")
    rig.worker()
    rig.settle()
    root = rig.root()
    root.submit("leaf:b", "leaf:a")
    rig.settle()
    assert kinds(rig)[Kind.BIND] == 1
    commit_and_compare(rig)
    checkpoint(root, ROOT_ID, 0, 2)
    rig.settle()
    found = kinds(rig)
    assert found[Kind.BIND] == found[Kind.BATCH] == 0
    same_after_restart(rig)


def test_what_is_bound_beside_an_older_batch_stays() -> None:
    rig = Rig()
    rig.root().submit("leaf:a", "leaf:b")
    rig.worker()
    rig.settle()
    root = rig.root()
    root.submit("leaf:b", "leaf:a", "leaf:c")
    rig.settle()
    checkpoint(root, ROOT_ID, 0, 3, wanted=[(2, 3)])
    rig.settle()
    found = kinds(rig)
    assert found[Kind.BIND] == found[Kind.BATCH] == 1
    same_after_restart(rig)


def moved_behind_a_state(rig: Rig) -> None:
    """Let a script save its state that has lost a call of its first run."""
    rig.root().submit("leaf:a", "leaf:b")
    rig.worker()
    rig.settle()
    root = rig.root()
    root.submit("leaf:x", "leaf:b")
    rig.settle()
    checkpoint(root, ROOT_ID, 0, 2)
    rig.settle()


def test_what_has_lost_its_ordinal_stays_until_the_state_after_the_next() -> None:
    rig = Rig()
    moved_behind_a_state(rig)
    assert kinds(rig)[Kind.BATCH] == 1, "a may be asked for yet"
    same_after_restart(rig)
    rig.peers.clear()
    rig.restart(resume=True)
    rig.worker()
    root = rig.root()
    root.arguments = [b"leaf:x", b"leaf:b"]  # it goes on from its state
    root.submit("leaf:y", "leaf:z")
    rig.settle()
    checkpoint(root, ROOT_ID, 0, 4)
    rig.settle()
    found = kinds(rig)
    assert found[Kind.BIND] == found[Kind.BATCH] == 0
    same_after_restart(rig)


def test_only_the_last_names_are_remembered() -> None:
    remembered = Remembered(3)
    names = [bytes([number]) for number in range(5)]
    assert [remembered.add(name, number + 10) for number, name in enumerate(names)] == [
        [], [], [], [10], [11],
    ]  # fmt: skip
    assert list(remembered) == names[2:]
    assert remembered.add(names[2], 99) == [12]  # it came once more, and is the last now
    assert list(remembered) == [names[3], names[4], names[2]]
    assert remembered.discard(names[4]) == [14]
    assert remembered.discard(names[4]) == []


def test_a_million_workers_that_come_and_go_cost_little() -> None:
    remembered = Remembered()
    for number in range(1_000_000):
        remembered.add(number.to_bytes(8, "big"))
    assert len(remembered) == leaving.REMEMBERED
