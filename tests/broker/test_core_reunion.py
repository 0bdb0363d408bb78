"""A broker has died: who was there before comes back, or is waited for, or is given up."""

from __future__ import annotations

import pytest

from scoop_ft.broker import timing
from scoop_ft.broker.tasks import CANCELLED
from scoop_ft.wire import messages as wire

from .rig import Rig


@pytest.mark.parametrize("root_first", [False, True])
def test_running_tasks_stay_with_their_workers(root_first: bool) -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("tree:2:a", "leaf:b")
    rig.dispatch()
    worker.handle()
    worker.step()
    rig.settle(work=False)
    rig.restart()
    for peer in (root, worker) if root_first else (worker, root):
        peer.connect()
        rig.flush()
        peer.handle()
    rig.settle()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert not root.missing()
    assert len(rig.ran) == len(set(rig.ran)) == 4


def test_nothing_is_given_out_before_those_of_before_are_back_or_the_time_is_over() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    rig.commit()
    first.awake = False
    rig.restart()
    root.connect()
    second.connect()
    rig.settle()
    assert rig.ran == []
    assert rig.broker.expected == {first.session}
    first.awake = True
    first.connect()
    rig.tick(0.1)
    rig.settle()
    assert rig.ran == [b"leaf:a"]


def test_who_does_not_come_back_is_waited_for_no_longer() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    rig.commit()
    rig.restart()
    del rig.peers[first.session]
    root.connect()
    second.connect()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert not root.missing()
    assert set(rig.broker.book.members) == {second.session}


def test_a_worker_too_busy_to_come_back_keeps_what_its_agent_sees_it_run() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    rig.commit()
    rig.restart()
    agent.connect()
    rig.settle(work=False)
    agent.heartbeat({first: ("busy", first.queue[0].id)})
    second = rig.worker(agent)
    root.connect()
    for _ in range(10):
        agent.heartbeat({first: ("busy", first.queue[0].id)})
        rig.tick(1.0)
        rig.settle(work=False)
    assert not second.queue
    first.connect()
    rig.settle()
    assert rig.ran == [b"leaf:a"]
    assert not root.missing()


def test_a_busy_worker_keeps_what_it_runs_though_its_batch_is_said_again_only_later() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    rig.commit()
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    rig.restart()  # the batch was not recorded
    agent.connect()
    rig.settle(work=False, commit=False)
    running = ("busy", first.queue[0].id)
    agent.heartbeat({first: running})  # nobody knows that task yet
    second = rig.worker(agent)
    root.connect()
    rig.settle(work=False)
    rig.tick(timing.GRACE_S + 0.1)  # before it is named again
    rig.settle(work=False)
    for _ in range(10):
        agent.heartbeat({first: running})
        rig.tick(0.5)
        rig.settle(work=False)
    assert not second.queue
    first.connect()
    rig.settle()
    assert rig.ran == [b"leaf:a"]
    assert not root.missing()


def test_a_worker_that_died_with_the_broker_is_blamed_all_the_same() -> None:
    rig = Rig(max_attempts=1)
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    rig.commit()
    rig.restart()
    del rig.peers[first.session]
    agent.gone(first, task=first.queue[0].id)
    root.connect()
    agent.connect()
    rig.settle()
    assert root.results[0][0] == wire.Status.LOST


def test_a_death_that_nobody_had_recorded_is_blamed_when_it_is_told_again() -> None:
    """Neither the worker's joining nor the batch was committed when the broker died."""
    rig = Rig(max_attempts=1)
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a", "leaf:b")
    rig.dispatch()
    worker.handle()
    task = worker.queue[0].id
    rig.restart()
    rig.peers.pop(worker.session)
    agent.connect()
    rig.flush()
    agent.handle()
    agent.gone(worker, task=task)
    rig.commit()
    assert agent.kept, "not before it has counted"
    rig.restart()  # and this one has died too, before the batch came
    agent.connect()
    rig.flush()
    agent.handle()
    root.connect()
    rig.flush()
    root.handle()
    rig.worker(agent)
    rig.tick(timing.GRACE_S + 0.1)
    rig.settle()
    assert [root.results[o][0] for o in range(2)] == [wire.Status.LOST, 0]
    assert not agent.kept
    rig.cut(agent)
    agent.connect()
    agent.gone(worker, task=task)
    assert rig.broker.book.failed == 1


def test_who_was_lost_and_came_back_is_blamed_like_others() -> None:
    rig = Rig(max_attempts=1)
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    rig.cut(worker)
    rig.tick(timing.LOST_S + 1)
    worker.connect()
    rig.flush()
    worker.handle()
    worker.rest()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    task = worker.queue[0].id
    rig.vanish(worker)
    agent.gone(worker, task=task)
    rig.flush()
    rig.settle()
    assert root.results[0][0] == wire.Status.LOST


def test_a_stopped_worker_of_before_is_not_waited_for() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    rig.commit()
    rig.restart()
    agent.connect()
    rig.settle(work=False)
    second = rig.worker(agent)
    root.connect()
    for _ in range(6):
        agent.heartbeat({first: ("stopped", first.queue[0].id)})
        rig.tick(0.5)
        rig.settle(work=False)
    assert second.queue


def test_children_whose_parent_nobody_knows_are_dropped_after_a_while() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    rig.commit()
    root.submit("tree:2:a")
    rig.dispatch()
    worker.handle()
    worker.step()
    rig.peers.pop(root.session)
    rig.restart()  # the parent's batch was never committed, and its root is gone
    worker.connect()
    rig.settle(work=False)
    assert rig.broker.orphans
    assert worker.kept
    assert rig.broker.expected == set()
    rig.tick(timing.GRACE_S + 1)
    rig.settle(work=False)
    assert not rig.broker.orphans
    assert not worker.kept, "they are acknowledged: nobody will ever want them"
    again = rig.root()
    again.submit("tree:2:a")
    rig.settle()
    assert not again.missing()
    assert not again.wrong()


def test_a_stopped_worker_is_not_given_what_it_said_it_holds_when_its_batch_comes() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    rig.commit()
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    task = first.queue[0].id
    rig.restart()  # the batch was not recorded
    agent.connect()
    first.connect()
    rig.flush()
    agent.handle()
    first.awake = False
    agent.heartbeat({first: ("stopped", task)})
    second = rig.worker(agent)
    root.connect()
    rig.flush()
    root.handle()
    rig.tick(timing.GRACE_S + 0.1)
    rig.dispatch()
    second.handle()
    assert second.queue


def test_a_worker_whose_agent_never_comes_back_is_not_waited_for() -> None:
    """Both machines' processes have died; nothing was sent there that would have failed."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    rig.commit()
    rig.restart()
    first.connect()
    root.connect()
    rig.settle(work=False)
    rig.tick(timing.GRACE_S + 0.1)
    root.submit("leaf:a")
    (batch,) = rig.broker.book.batches.values()
    batch.count_attempt(0)  # it is tried alone: nobody asks for it back
    rig.settle(work=False)
    assert first.queue
    first.awake = False
    second = rig.worker()
    for _ in range(16):
        rig.tick(0.5)
        rig.dispatch()
    second.handle()
    assert second.queue


def test_a_broker_that_stood_still_at_the_end_of_the_reunion_loses_no_result() -> None:
    """It comes to itself when the time is over, and finds all that was said meanwhile."""
    rig = Rig()
    root, worker, other = rig.root(), rig.worker(), rig.worker()
    rig.commit()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    rig.restart()  # the batch was not recorded
    worker.connect()
    worker.handle()
    rig.now += timing.GRACE_S / 2 + 0.1
    other.connect()
    rig.now += timing.GRACE_S / 2 + 0.1
    rig.flush()
    worker.handle()
    worker.step()  # its result is there before its batch
    root.connect()
    rig.flush()
    root.handle()
    rig.tick(1.0)
    rig.settle()
    assert not root.missing()
    assert rig.ran == [b"leaf:a"]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("root_first", [False, True])
def test_what_was_given_up_is_not_wanted_after_a_lost_connection(
    root_first: bool, restarted: bool
) -> None:
    """It may hang: its worker must hear that nobody wants it, and nobody else is given it."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:hangs")
    rig.dispatch()
    worker.handle()
    (task,) = [item.id for item in worker.queue]
    rig.commit()
    root.cancel(0, subtree=True)
    rig.flush()
    root.handle()
    assert root.given_up == {0}
    if restarted:
        rig.restart()  # what the worker was sent is lost
    else:
        rig.cut(worker)
    for peer in (root, worker, agent) if root_first else (worker, root, agent):
        if restarted or peer is worker:
            peer.connect()
        rig.flush()
    agent.handle()
    agent.heartbeat({worker: ("busy", task)})
    rig.flush()
    worker.handle()
    assert any(drop.cancelled for drop in worker.all_of(wire.Drop))
    agent.gone(worker)
    second = rig.worker(agent)
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert not second.queue
    assert rig.ran == []
    assert [state for b in rig.broker.book.batches.values() for state in b.state] == [CANCELLED]
