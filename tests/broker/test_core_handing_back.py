"""What comes back to the broker unstarted: recalled, returned, left behind, cancelled."""

from __future__ import annotations

from collections import deque

from scoop_ft.broker import timing
from scoop_ft.broker.tasks import HELD
from scoop_ft.ids import batch_id, task_id
from scoop_ft.wire import messages as wire

from .rig import Rig, taken

# ---- recall, return, leave, cancel -------------------------------------------------------------


def test_recalled_work_goes_to_the_idle() -> None:
    rig = Rig()
    root, first = rig.root(), rig.worker()
    root.submit(*[f"leaf:{i}" for i in range(6)])
    taken(rig, first, 6)
    second = rig.worker()
    rig.tick(0.1)
    rig.settle(work=False)
    assert first.all_of(wire.Recall)
    assert second.queue
    rig.settle()
    assert sorted(rig.ran) == sorted(root.arguments)


def test_what_comes_back_in_one_stretch_goes_out_in_few() -> None:
    rig = Rig()
    root, first = rig.root(), rig.worker()
    root.submit(*[f"leaf:{i}" for i in range(200)])
    taken(rig, first, 200)
    second = rig.worker()
    kept = list(first.queue)[:100]
    back = list(first.queue)[100:]
    batch, low, high = back[0].batch, back[0].index, back[-1].index + 1

    def hand_back(m: wire.Recall, frames: list[bytes]) -> None:
        first.queue = deque(kept)
        first.say(wire.Returned(m.recall, [(batch, low, high)]))

    first.on_recall = hand_back  # type: ignore[method-assign]
    rig.broker.costs.report(rig.broker.book.batches[batch].functions[0], 100, 0.001)
    rig.tick(0.1)
    rig.settle(work=False)
    assert first.all_of(wire.Recall)
    runs = second.all_of(wire.Run)
    assert runs[0].start == low
    assert runs[0].stop - runs[0].start > 1, "a stretch, not a message a task"
    rig.settle()
    assert sorted(rig.ran) == sorted(root.arguments)


def test_a_worker_on_another_connection_is_asked_for_work_as_before() -> None:
    rig = Rig()
    root, first = rig.root(), rig.worker()
    root.submit("leaf:before")
    rig.settle()
    rig.tick(1.0)
    root.submit(*[f"leaf:{i}" for i in range(6)])
    taken(rig, first, 6)
    rig.tick(1.0)
    rig.cut(first)
    first.connect()
    rig.flush()
    first.handle()
    rig.dispatch()
    second = rig.worker()
    for _ in range(3):
        rig.tick(0.5)
        rig.dispatch()
        first.handle()
        second.handle()
    assert second.queue


def test_a_worker_that_answers_no_recall_loses_all_but_its_running_task() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a", "leaf:b", "leaf:c")
    taken(rig, first, 3)
    first.awake = False
    rig.worker(agent)
    rig.tick(0.1)
    rig.dispatch()
    for _ in range(4):
        agent.heartbeat({first: ("busy", first.queue[0].id)})
        rig.tick(1.0)
    rig.settle()
    assert len(root.results) == 2
    assert rig.stats["running"] == 1
    first.awake = True
    rig.settle()
    assert not root.missing()


def test_a_broker_with_idle_workers_and_no_work_rests() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    rig.settle()
    rig.tick(timing.GRACE_S + 1)
    assert rig.broker.dispatcher.idle_sessions() == [first.session, second.session]
    assert not rig.broker.needs_ticks()
    assert not rig.broker.may_take_back()
    root.submit("leaf:a")
    rig.dispatch()
    assert rig.broker.may_take_back(), "it may ask for it back"


def test_a_worker_that_was_asked_before_its_machine_slept_has_time_to_answer() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a", "leaf:b", "leaf:c")
    taken(rig, first, 3)
    rig.worker(agent)
    rig.tick(0.1)
    rig.dispatch()
    assert rig.broker.peers[first.session].recall
    rig.tick(timing.UNANSWERED_S)
    rig.now += 0.01
    agent.heartbeat({first: ("busy", first.queue[0].id)})  # the broker is awake until here
    rig.tick(3600.0, step=3600.0)
    assert not first.all_of(wire.Drop)
    assert rig.stats["resubmitted"] == 0
    rig.settle()
    assert not root.missing()


def test_a_worker_whose_long_task_has_just_ended_has_time_to_say_so() -> None:
    """Its agent's word that it runs nothing came before its result."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    deaf = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, deaf, 1)
    deaf.awake = False
    rig.worker(agent)
    rig.tick(0.1)
    rig.dispatch()
    assert rig.broker.peers[deaf.session].recall, "somebody is idle: it is asked for work"
    for _ in range(4):
        agent.heartbeat({deaf: ("busy", deaf.queue[0].id)})
        rig.tick(timing.UNANSWERED_S / 4)
    agent.heartbeat({deaf: ("idle", b"")})
    rig.tick(0.1)
    rig.dispatch()
    assert rig.stats["resubmitted"] == 0
    deaf.awake = True
    rig.settle()
    assert rig.ran == [b"leaf:a"]
    assert not root.missing()


def test_a_worker_that_runs_nothing_and_answers_no_recall_loses_what_it_has() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a", "leaf:b")
    taken(rig, first, 2)
    first.awake = False
    rig.worker(agent)
    rig.tick(0.1)
    rig.dispatch()
    agent.heartbeat({first: ("busy", first.queue[0].id)})
    for _ in range(6):
        rig.tick(0.5)
        agent.heartbeat({first: ("idle", b"")})
    rig.settle()
    assert not root.missing()


def test_a_worker_at_a_child_that_nobody_was_told_of_keeps_its_parent() -> None:
    """Else each worker in turn would run parent and child, answer too late, and lose both."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    deaf = rig.worker(agent)
    root.submit("tree:2:a")
    taken(rig, deaf, 1)
    deaf.awake = False
    rig.worker(agent)
    rig.tick(0.1)
    rig.dispatch()
    assert rig.broker.peers[deaf.session].recall, "somebody is idle: it is asked for work"
    for _ in range(8):
        agent.heartbeat({deaf: ("busy", task_id(batch_id(deaf.session, 1), 0))})
        rig.tick(1.0)
    assert rig.stats["running"] == 1
    assert rig.stats["resubmitted"] == 0
    deaf.awake = True
    rig.settle()
    assert not root.missing()


def test_an_empty_answer_to_a_recall_is_not_asked_for_at_once_again() -> None:
    rig = Rig()
    root, first = rig.root(), rig.worker()
    root.submit("tree:2:a")
    taken(rig, first, 1)
    first.step()
    first.queue.clear()  # both children run
    first.idle_said = True  # and it is not idle
    rig.worker()
    for _ in range(50):
        rig.tick(0.02, step=0.02)
        rig.settle(work=False)
    assert 3 <= len(first.all_of(wire.Recall)) <= 8, "each time after twice the time"


def test_leaving_hands_everything_back() -> None:
    rig = Rig()
    root, first = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b")
    taken(rig, first, 2)
    first.leave()
    assert rig.stats["running"] == 0
    second = rig.worker()
    rig.settle()
    assert not root.missing()
    assert second.runs


def test_cancelled_before_it_is_given_out() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", "leaf:b", "leaf:c")
    root.cancel(0, 2)
    rig.settle()
    assert root.given_up == {0, 2}
    rig.worker()
    rig.settle()
    assert rig.ran == [b"leaf:b"]
    assert rig.stats["cancelled"] == 2


def test_cancelled_in_the_hands_of_several_workers() -> None:
    rig = Rig()
    root, workers = rig.root(), [rig.worker() for _ in range(3)]
    root.submit("leaf:a", "leaf:b", "leaf:c")
    rig.dispatch()
    for worker in workers:
        worker.handle()
        assert len(worker.queue) == 1
    workers[0].step()
    root.cancel(0, 1, 2)
    rig.flush()
    for worker in workers:
        worker.handle()
    rig.settle()
    done = set(root.results)
    assert len(done) == 1
    assert root.given_up == {0, 1, 2} - done
    assert len(rig.ran) == 1


def test_cancelling_again_when_the_answer_was_lost() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a")
    root.cancel(0)
    rig.cut(root)
    root.connect()
    rig.settle()
    assert root.given_up == {0}


def test_what_a_dead_root_gave_up_the_next_one_still_wants() -> None:
    rig = Rig()
    first, worker = rig.root(), rig.worker()
    first.submit("leaf:a")
    taken(rig, worker, 1)
    first.cancel(0)
    rig.flush()
    second = rig.root()
    second.submit("leaf:a")
    rig.settle()
    assert not second.missing()


def test_cancelling_what_runs_is_answered_without_it() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    taken(rig, worker, 1)
    worker.awake = False
    root.cancel(0)
    rig.tick(2.0)
    root.handle()
    (answer,) = root.all_of(wire.Cancelled)
    assert answer.ranges == []
    worker.awake = True
    rig.settle(work=False)
    assert not worker.kept


def test_a_query() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b")
    rig.dispatch()
    worker.handle()
    for ordinal in (0, 1, 7):
        root.say(wire.Query(ordinal, bytes(20), ordinal))
    rig.settle(work=False)
    assert {m.request: m.running for m in root.all_of(wire.Answer)} == {0: True, 1: False, 7: False}


def test_who_is_not_heard_because_the_disk_is_full_loses_nothing() -> None:
    """It has ended its task, and says so; the broker listens again when there is room."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("tree:2:a", "leaf:b")
    taken(rig, worker, 2)
    rig.commit()
    other = rig.worker(agent)
    rig.dispatch()  # the other is idle: a recall is on its way
    rig.broker.full = "no room"
    worker.step()  # it submits, and is turned away
    worker.handle()
    while worker.queue:
        worker.step()
    for _ in range(6):
        rig.tick(0.5)
        rig.dispatch()
    other.handle()
    assert not other.queue
    rig.broker.on_room()
    rig.settle()
    assert not root.missing()
    assert rig.ran.count(b"leaf:b") == 1


def test_children_of_an_older_attempt_are_wanted_by_nobody_when_the_task_comes_back() -> None:
    """A worker was told to drop a task, and got it again before its first attempt had ended."""
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle(work=False)
    task = worker.queue[0]
    worker.submit_batch(task.id, task.place, 0, [b"leaf:child"])
    worker.say(wire.Returned(0, [(task.batch, task.index, task.index + 1)]))
    family = rig.broker.book.families[task.id]
    assert family.host == b""
    child, _ = family.find(0) or (None, 0)
    assert child is not None
    assert child.state[0] == HELD, "nobody wants it until its parent runs again"


def test_what_need_not_be_run_is_said_at_once_while_nothing_else_is_said() -> None:
    rig = Rig()
    rig.root()
    worker = rig.worker()
    peer, batches = rig.broker.peers[worker.session], [bytes([n]) * 16 for n in range(4)]
    for batch in batches[:2]:
        rig.broker.drop(peer, [(batch, 0, 1)])
    rig.broker.send(worker.session, wire.Synced(0))
    rig.broker.drop(peer, [(batches[2], 0, 1)])
    rig.flush()
    rig.broker.drop(peer, [(batches[3], 0, 1)])
    rig.flush()
    said = [[name for name, _, _ in m.spans] for m, _ in worker.inbox if type(m) is wire.Drop]
    assert said == [batches[:2], batches[2:3], batches[3:]]
    assert [[name for name, _, _ in spans] for spans in peer.dropping] == said, "not yet answered"
    worker.handle()
    rig.flush()
    assert not peer.dropping
