"""What the broker does about a subtree that is cancelled, wherever it runs."""

from __future__ import annotations

import pytest

from scoop_ft.broker.tasks import CANCELLED, DONE, HELD
from scoop_ft.wire import messages as wire

from .rig import Rig, taken


def test_a_subtree_is_cancelled_wherever_it_runs() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    first.claims = second.claims = False
    root.submit("deep:3:a", "leaf:other")
    rig.dispatch()
    for _ in range(4):
        for worker in (first, second):
            worker.handle()
            if worker.queue and worker.queue[0].argument != b"leaf:other":
                worker.step()
            worker.rest()
        rig.dispatch()
    ran = len(rig.ran)
    assert ran > 1
    root.cancel(0, subtree=True)
    rig.flush()
    root.handle()
    assert root.given_up == {0}
    rig.settle()
    assert not root.missing()
    assert [argument for argument in rig.ran[ran:] if b":a" in argument] == []
    batch = next(b for b in rig.broker.book.batches.values() if b.count == 2)
    assert batch.state[0] == CANCELLED
    inner = [b for b in rig.broker.book.batches.values() if b is not batch]
    assert inner
    assert {state for b in inner for state in b.state} <= {HELD, DONE}


def test_who_runs_what_lies_below_what_was_cancelled_is_told_that_nobody_wants_it() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    first.claims = second.claims = False
    root.submit("deep:1:a", "leaf:other")
    for _ in range(3):
        rig.dispatch()
        for worker in (first, second):
            worker.handle()
            if worker.queue and worker.queue[0].argument == b"deep:1:a":
                worker.step()
                worker.rest()
    root.cancel(0, subtree=True)
    rig.flush()
    first.handle(), second.handle()
    drops = first.all_of(wire.Drop) + second.all_of(wire.Drop)
    parents = {rig.broker.book.batches[name].parent for drop in drops for name, _, _ in drop.spans}
    assert len(parents) == 2, "the root, and the task that was cancelled"
    assert all(drop.cancelled for drop in drops)


def test_who_was_away_when_his_task_was_cancelled_is_told_when_he_is_back() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    taken(rig, worker, 1)
    rig.cut(worker)
    root.cancel(0, subtree=True)
    rig.flush()
    worker.connect()
    rig.flush()
    worker.handle()
    (drop,) = worker.all_of(wire.Drop)
    assert drop.cancelled


def test_what_has_ended_cannot_be_cancelled_with_its_subtree() -> None:
    rig = Rig()
    root = rig.root()
    rig.worker()
    root.submit("leaf:a")
    rig.settle()
    root.cancel(0, subtree=True)
    rig.settle()
    assert root.given_up == set()


def test_a_late_result_of_a_cancelled_task_harms_nobody() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b")
    taken(rig, worker, 1)
    item = worker.queue[0]
    worker.queue.remove(item)  # it has begun
    root.cancel(item.index, subtree=True)
    rig.flush()
    worker.handle()
    worker.finish(item, b"[late]")
    rig.settle()
    assert root.given_up == {item.index}
    assert not root.missing()


@pytest.mark.parametrize("restarted", [False, True], ids=["cut off", "broker restarted"])
def test_what_lies_below_what_was_cancelled_is_not_wanted_from_who_was_away(
    restarted: bool,
) -> None:
    """It may hang: nothing else ends it, and it keeps its worker."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first, second = rig.worker(agent), rig.worker(agent)
    first.claims = second.claims = False
    root.submit("tree:1:a")
    rig.dispatch()
    parent, child = (first, second)
    for worker in (first, second):
        worker.handle()
        if worker.queue:
            parent, child = worker, second if worker is first else first
            worker.step()
            worker.idle_said = True  # it waits; the child is the other's
    rig.commit()
    rig.dispatch()
    child.handle()
    (task,) = [item.id for item in child.queue]
    child.queue.popleft()  # it runs
    child.holding = lambda: [(task[:16], 0, 1)]  # type: ignore[method-assign]
    rig.cut(child)
    root.cancel(0, subtree=True)
    rig.flush()
    root.handle(), parent.handle()
    if restarted:
        rig.restart()
        for peer in (root, parent, agent):
            peer.connect()
            rig.flush()
            peer.handle()
    child.connect()
    rig.flush()
    child.handle()
    agent.handle()
    for _ in range(3):
        agent.heartbeat({child: ("busy", task)})
        rig.flush()
    child.handle()
    (drop,) = [drop for drop in child.all_of(wire.Drop) if drop.cancelled]
    assert drop.spans == [(task[:16], 0, 1)]
    assert not list(rig.broker.peers[child.session].held())
    agent.heartbeat({child: ("busy", task)})
    rig.flush()
    child.handle()
    assert len([drop for drop in child.all_of(wire.Drop) if drop.cancelled]) == 2
