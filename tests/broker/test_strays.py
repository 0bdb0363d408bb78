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
    wait(rig, timing.GRACE_S + 1)
    if late:
        worker.connect()
        wait(rig, 1)
    assert given_up(worker) == [], "its root may be slow"
    rig.root()
    wait(rig, 1)
    assert given_up(worker) == [True]
    wait(rig, 1)
    assert given_up(worker) == [True], "it is told once"


def test_what_is_submitted_again_goes_on() -> None:
    rig = Rig()
    root, worker, maker = begun_and_lost(rig)
    maker.connect()
    worker.connect()
    wait(rig, timing.GRACE_S + 1)
    root.connect()
    wait(rig, 1)
    assert given_up(worker) == []
    again = rig.root()
    wait(rig, 1)
    assert given_up(worker) == [], "it is recorded"
    again.submit("leaf:hangs")
    rig.settle()
    assert not again.missing()


def test_what_a_worker_submitted_that_is_gone_is_given_up_elsewhere() -> None:
    rig = Rig()
    root, worker, maker = rig.root(), rig.worker(), rig.worker()
    maker.claims = worker.claims = False
    root.submit("tree:2:a")
    rig.dispatch()
    rig.commit()
    worker.handle()
    maker.handle()
    if not maker.queue:
        worker, maker = maker, worker
    maker.step()
    rig.dispatch()
    worker.handle()
    assert worker.queue
    rig.restart()  # the children's batch was not recorded
    root.connect()
    worker.connect()
    wait(rig, timing.GRACE_S + 1)
    assert given_up(worker) == [True]
