"""What workers hold of batches that a dead broker had not recorded, and their script with it."""

from __future__ import annotations

import pytest

from scoop_ft.broker import timing
from scoop_ft.wire import messages as wire

from .peers import FakeRoot, FakeWorker
from .rig import Rig


def begun_and_lost(rig: Rig) -> tuple[FakeRoot, FakeWorker, FakeWorker]:
    """Let a worker begin what the next broker knows nothing of; return the root and two workers."""
    root, worker, maker = rig.root(), rig.worker(), rig.worker()
    rig.commit()
    root.submit("leaf:hangs")
    rig.dispatch()
    worker.handle()
    maker.handle()
    if not worker.queue:
        worker, maker = maker, worker
    rig.restart()
    return root, worker, maker


def given_up(worker: FakeWorker) -> list[bool]:
    """Return, for each time that it was told to give something up, whether nobody wants that."""
    return [m.cancelled for m in worker.all_of(wire.Drop)]


def wait(rig: Rig, seconds: float) -> None:
    rig.tick(seconds)
    rig.settle(work=False)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("came_back", [False, True])
def test_what_nobody_will_submit_again_keeps_no_worker(late: bool, came_back: bool) -> None:
    """It may hang; its root is another process now."""
    rig = Rig()
    root, worker, maker = begun_and_lost(rig)
    maker.connect()
    if came_back:  # and died before it had said its batch again
        root.kept.clear()
        root.connect()
        rig.flush()
    rig.vanish(root)
    if not late:
        worker.connect()
    wait(rig, timing.GRACE_S + timing.LOST_S + 1)
    if late:
        worker.connect()
        wait(rig, timing.LOST_S + 1)
    assert given_up(worker) == [], "its root may be slow"
    rig.root()
    wait(rig, timing.LOST_S + 1)
    assert given_up(worker) == [True]
    wait(rig, timing.LOST_S + 1)
    assert given_up(worker) == [True], "it is told once"


def test_what_is_submitted_again_goes_on() -> None:
    rig = Rig()
    root, worker, maker = begun_and_lost(rig)
    maker.connect()
    worker.connect()
    wait(rig, timing.GRACE_S + timing.LOST_S + 1)
    root.connect()
    wait(rig, timing.LOST_S + 1)
    assert given_up(worker) == []
    again = rig.root()
    wait(rig, timing.LOST_S + 1)
    assert given_up(worker) == [], "it is recorded"
    again.submit("leaf:hangs")
    rig.settle()
    assert not again.missing()


def with_a_child(rig: Rig) -> tuple[FakeRoot, FakeWorker, FakeWorker]:
    """Return a root, who runs its task, and who holds a call of that: it is not recorded."""
    root, maker, holder = rig.root(), rig.worker(), rig.worker()
    maker.claims = holder.claims = False
    rig.commit()
    root.submit("tree:1:a")
    rig.dispatch()
    maker.handle()
    holder.handle()
    if not maker.queue:
        maker, holder = holder, maker
    return root, maker, holder


def hand_on(rig: Rig, maker: FakeWorker, holder: FakeWorker) -> None:
    maker.step()
    rig.flush()
    holder.idle_said = False
    holder.rest()
    rig.dispatch()
    holder.handle()
    assert holder.queue


def without_the_maker(rig: Rig) -> tuple[FakeRoot, FakeWorker, FakeWorker]:
    """Let the broker die, and all but the one who runs the parent come back."""
    root, maker, holder = with_a_child(rig)
    rig.commit()
    hand_on(rig, maker, holder)
    rig.restart()
    root.connect()
    holder.connect()
    return root, maker, holder


@pytest.mark.parametrize("back", [False, True])
def test_what_a_worker_has_submitted_that_is_gone_is_given_up(back: bool) -> None:
    """Or comes back after all, before a lost worker's work is taken from it."""
    rig = Rig()
    root, maker, holder = without_the_maker(rig)
    wait(rig, timing.GRACE_S + 1)
    if back:
        maker.connect()
    wait(rig, timing.LOST_S + 1)
    assert given_up(holder) == ([] if back else [True])
    rig.settle()
    assert not root.missing() or not back


@pytest.mark.parametrize("root_dies", [False, True])
def test_what_a_parent_had_submitted_that_nobody_knows_is_given_up(root_dies: bool) -> None:
    """Its worker lives, and will never submit it: it was told to drop the parent."""
    rig = Rig()
    root, maker, holder = with_a_child(rig)
    hand_on(rig, maker, holder)
    rig.restart()
    maker.connect()
    holder.connect()
    if root_dies:
        rig.vanish(root)
        root = rig.root()
    wait(rig, timing.GRACE_S + 1)
    if not root_dies:  # it is only slow
        root.connect()
    wait(rig, 30)
    assert given_up(holder) == [True]


def test_what_has_ended_while_its_worker_was_away_is_given_up() -> None:
    """No broker has died: what is not recorded has left the journal with its parent."""
    rig = Rig()
    root, maker, holder = with_a_child(rig)
    hand_on(rig, maker, holder)
    rig.cut(holder)
    holder.awake = False
    rig.tick(timing.LOST_S + 1)
    rig.settle()
    assert not root.missing()
    holder.awake = True
    holder.connect()
    wait(rig, timing.LOST_S + 2)
    assert given_up(holder) == [True]


def test_nothing_is_given_up_because_the_broker_slept() -> None:
    """Whoever has submitted it had no time to come back."""
    rig = Rig()
    _, _, holder = without_the_maker(rig)
    wait(rig, timing.GRACE_S + 0.2)
    rig.now += 3600
    wait(rig, 0.5)
    assert given_up(holder) == []
    wait(rig, timing.LOST_S + 1)
    assert given_up(holder) == [True]
