"""Second copies: what a slow worker runs near the end is run by an idle one too."""

from __future__ import annotations

import pytest

from scoop_ft.broker import copies
from scoop_ft.ids import batch_id, task_id
from scoop_ft.wire import messages as wire

from .peers import FakeAgent, FakeRoot, FakeWorker, Item
from .rig import Rig

USUAL_S = 1.0


class Scene:
    """One worker that is fast and idle, one that runs the last task."""

    def __init__(self, last: str = "leaf:late", options: wire.Options = wire.PLAIN) -> None:
        self.rig = rig = Rig()
        self.root: FakeRoot = rig.root()
        self.agent: FakeAgent = rig.agent()
        self.fast = self._worker(USUAL_S)
        self.root.submit(*(f"leaf:{number}" for number in range(5)))
        rig.settle()
        self.slow = self._worker(10 * USUAL_S)
        self.root.submit("leaf:other")
        rig.dispatch()
        self.root.submit(last, options=options)
        rig.dispatch()
        self.fast.handle()
        self.slow.handle()
        self.fast.step()
        self.running: Item = self.slow.queue.popleft()
        self.wait(0.2)
        assert self.slow.all_of(wire.Recall) or not options.repeatable

    def _worker(self, seconds: float) -> FakeWorker:
        worker = self.rig.worker(self.agent)
        worker.elapsed_ns = int(seconds * 1e9)
        return worker

    def wait(self, seconds: float) -> None:
        """Let time pass; nobody begins or ends a task."""
        for _ in range(round(seconds / 0.1)):
            self.rig.tick(0.1)
            present = [peer for peer in (self.slow, self.fast) if peer.welcomed]
            self.agent.heartbeat({peer: ("idle", b"") for peer in present})
            self.rig.dispatch()
            self.slow.handle()
            self.fast.handle()
            self.fast.rest()

    def crash(self, worker: FakeWorker, task: bytes) -> None:
        """A worker dies of a task."""
        self.rig.vanish(worker)
        self.agent.gone(worker, task=task, signal=11)
        self.rig.dispatch()

    @property
    def copied(self) -> bool:
        return bool(self.fast.queue)

    def ends_well(self) -> None:
        """Everything comes to its end, and each result is right."""
        self.rig.settle()
        self.wait(5.0)
        self.rig.settle()
        assert not self.root.missing()
        assert not self.root.wrong()
        assert self.rig.stats["running"] == 0


def slow_before(scene: Scene) -> None:
    """The slow worker has shown that it is."""
    peer = scene.rig.broker.peers[scene.slow.session]
    for _ in range(5):
        peer.keep_pace(10.0)


# ---- when -------------------------------------------------------------------------------------


def test_what_takes_much_longer_than_usual_is_run_by_an_idle_worker_too() -> None:
    scene = Scene()
    scene.wait(1.5)
    assert not scene.copied, "this is no longer than tasks may take"
    scene.wait(0.6)
    assert scene.copied
    assert scene.rig.stats["copies"] == 1
    scene.fast.step()
    scene.rig.settle()
    assert not scene.root.missing()
    assert scene.slow.all_of(wire.Drop), "it need not go on"
    scene.slow.finish(scene.running, b"[leaf:late]")
    scene.ends_well()
    assert scene.rig.stats["dropped_late"] == 1


def test_of_a_worker_that_is_known_to_be_slow_it_is_run_at_once() -> None:
    scene = Scene()
    slow_before(scene)
    scene.wait(0.1)
    assert scene.copied


def test_one_report_makes_no_worker_slow() -> None:
    scene = Scene()
    scene.rig.broker.peers[scene.slow.session].keep_pace(10.0)
    scene.wait(1.5)
    assert not scene.copied


def test_the_time_that_the_broker_slept_is_not_counted() -> None:
    scene = Scene()
    scene.rig.now += 600.0
    scene.wait(1.0)
    assert not scene.copied
    scene.wait(1.5)
    assert scene.copied


def test_the_time_before_a_reconnect_is() -> None:
    scene = Scene()
    scene.wait(1.2)
    scene.rig.cut(scene.slow)
    scene.slow.queue.append(scene.running)  # it says that it holds it
    scene.slow.connect()
    scene.rig.flush()
    scene.slow.handle()
    scene.slow.queue.clear()
    scene.wait(1.0)
    assert scene.copied


def test_of_one_that_is_known_to_be_fast_much_later() -> None:
    scene = Scene()
    peer = scene.rig.broker.peers[scene.slow.session]
    for _ in range(5):
        peer.keep_pace(1.0)
    scene.wait(7.0)
    assert not scene.copied
    scene.wait(1.0)
    assert scene.copied


def test_nothing_is_copied_whose_usual_time_nobody_knows() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    slow, idle = rig.worker(agent), rig.worker(agent)
    root.submit("leaf:a")
    rig.dispatch()
    slow.handle()
    slow.queue.popleft()
    for _ in range(100):
        rig.tick(1.0)
        rig.dispatch()
        slow.handle()
    idle.handle()
    assert not idle.queue


def test_a_worker_that_has_something_to_give_back_is_asked_for_that_first() -> None:
    scene = Scene()
    scene.root.submit("leaf:behind")
    scene.rig.broker.dispatcher.not_idle(scene.rig.broker.peers[scene.fast.session])
    scene.rig.dispatch()
    scene.slow.handle()
    slow_before(scene)
    scene.fast.idle_said = False
    scene.wait(0.3)
    assert [item.argument for item in scene.fast.queue] == [b"leaf:behind"]


def test_a_task_is_copied_once() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.rig.vanish(scene.fast)
    scene.agent.gone(scene.fast)
    scene.fast = scene._worker(USUAL_S)
    scene.wait(10.0)
    assert not scene.copied
    scene.slow.finish(scene.running, b"[leaf:late]")
    scene.ends_well()


@pytest.mark.parametrize("what", ["not repeatable", "a parent", "keeps a state", "a suspect"])
def test_what_is_not_copied(what: str) -> None:
    options = wire.Options(repeatable=False) if what == "not repeatable" else wire.PLAIN
    scene = Scene("tree:3:t" if what == "a parent" else "leaf:late", options)
    batch = scene.rig.broker.book.batches[scene.running.batch]
    if what == "a parent":
        scene.slow.queue.append(scene.running)
        scene.slow.claims = False
        scene.slow.step()
        children = scene.fast.handle()
        scene.rig.dispatch()
        while scene.fast.queue:
            scene.fast.queue.popleft()
        assert children is None
    elif what == "keeps a state":
        state = wire.Checkpoint(
            scene.slow.number(), scene.running.id, 0, 0, 0, [], b"", [], False, []
        )
        scene.slow.keep(state, [b"state"])
    elif what == "a suspect":
        batch.count_attempt(scene.running.index)
    scene.wait(20.0)
    begun = [item.id for item in scene.fast.queue]
    assert scene.running.id not in begun
    assert scene.rig.stats["copies"] == 0


# ---- what becomes of it -----------------------------------------------------------------------


def test_the_tasks_own_worker_may_be_first() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.slow.finish(scene.running, b"[leaf:late]")
    scene.rig.dispatch()
    scene.fast.handle()
    assert scene.fast.all_of(wire.Drop)
    assert not scene.fast.queue, "what it had not begun it need not begin"
    scene.ends_well()


@pytest.mark.parametrize("how", ["crashed", "cut off", "stopped", "left"])
def test_a_copy_stands_in_for_a_worker_that_is_lost(how: str) -> None:
    scene = Scene()
    scene.wait(2.1)
    copy = scene.fast.queue.popleft()
    if how == "crashed":
        scene.crash(scene.slow, scene.running.id)
    elif how == "cut off":
        scene.rig.cut(scene.slow)
        scene.wait(6.0)
    elif how == "stopped":
        scene.agent.heartbeat({scene.slow: ("stopped", scene.running.id)})
    else:
        scene.slow.say(wire.Leaving())
    scene.rig.dispatch()
    batch = scene.rig.broker.book.batches[scene.running.batch]
    assert scene.rig.broker.peers[scene.fast.session].holds(batch, scene.running.index)
    third = scene._worker(USUAL_S)
    scene.wait(1.0)
    assert not third.all_of(wire.Run), "it is running already"
    scene.fast.finish(copy, b"[leaf:late]")
    scene.ends_well()


def test_a_copy_that_kills_its_worker_is_no_attempt_and_the_task_goes_on() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.rig.broker.max_attempts = 1
    scene.crash(scene.fast, scene.running.id)
    scene.rig.commit()
    assert scene.rig.stats["failed"] == 0
    assert scene.rig.stats["running"] == 1
    assert not scene.slow.all_of(wire.Drop)
    scene.slow.finish(scene.running, b"[leaf:late]")
    scene.fast = scene._worker(USUAL_S)
    scene.ends_well()


def test_a_copy_that_raises_where_it_runs_is_no_result() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.fast.finish(scene.fast.queue.popleft(), b"no such file", wire.Status.RAISED)
    scene.rig.commit()
    scene.fast.handle()
    assert scene.rig.stats["failed"] == 0
    assert not scene.fast.kept, "it was heard all the same"
    assert not scene.slow.all_of(wire.Drop)
    scene.slow.finish(scene.running, b"[leaf:late]")
    scene.ends_well()


@pytest.mark.parametrize("what", ["submits", "saves"])
def test_the_copy_of_what_turns_out_to_be_more_is_dropped(what: str) -> None:
    """Stood in for, it would begin anew as if there were no children and no state."""
    scene = Scene("tree:3:t" if what == "submits" else "leaf:late")
    scene.wait(2.1)
    assert scene.copied
    if what == "submits":
        scene.slow.claims = False
        scene.slow.queue.append(scene.running)
        scene.slow.step()
    else:
        state = wire.Checkpoint(
            scene.slow.number(), scene.running.id, 0, 0, 0, [], b"", [], False, []
        )
        scene.slow.keep(state, [b"state"])
    scene.rig.dispatch()
    scene.fast.handle()
    assert scene.running.id not in [item.id for item in scene.fast.queue]
    assert any(
        scene.running.batch == batch and start <= scene.running.index < stop
        for drop in scene.fast.all_of(wire.Drop)
        for batch, start, stop in drop.spans
    )


def test_a_copy_that_turns_out_to_be_a_parent_is_dropped() -> None:
    scene = Scene("tree:3:t")
    scene.wait(2.1)
    assert scene.copied
    scene.fast.claims = False
    scene.fast.step()
    scene.rig.flush()
    scene.fast.handle()
    assert scene.fast.all_of(wire.Drop)
    scene.rig.vanish(scene.slow)
    scene.agent.gone(scene.slow)
    scene.ends_well()


def test_a_worker_that_comes_back_with_a_copy_is_told_to_drop_it_and_nothing_is_lost() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.rig.cut(scene.fast)
    scene.fast.connect()
    scene.rig.flush()
    scene.fast.handle()
    assert scene.fast.all_of(wire.Drop)
    scene.rig.vanish(scene.slow)
    scene.agent.gone(scene.slow)
    scene.ends_well()


def test_a_restarted_broker_leaves_the_task_with_one_of_the_two() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.rig.settle(work=False)
    scene.rig.restart()
    scene.slow.queue.append(scene.running)
    for peer in (scene.root, scene.agent, scene.slow, scene.fast):
        peer.connect()
        scene.rig.flush()
        peer.handle()
    scene.ends_well()
    assert scene.rig.stats["resubmitted"] == 0


def test_a_copy_of_what_was_given_up_is_dropped() -> None:
    scene = Scene()
    scene.wait(2.1)
    scene.root.cancel(6, subtree=True)
    scene.rig.dispatch()
    scene.fast.handle()
    (drop,) = scene.fast.all_of(wire.Drop)
    assert drop.cancelled, "nor does anybody want the copy"
    assert not scene.fast.queue


def test_what_is_remembered_is_bounded() -> None:
    scene = Scene()
    known = scene.rig.broker.copies
    known._had.update((batch_id(b"12345678", n), 0) for n in range(copies.MOST))
    scene.wait(2.1)
    assert len(known._had) < copies.MOST
    assert task_id(scene.running.batch, scene.running.index) == scene.running.id
