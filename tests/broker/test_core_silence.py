"""Those who say nothing more, and those who are not asked any more."""

from __future__ import annotations

from scoop_ft.broker import timing
from scoop_ft.broker.tasks import QUEUED
from scoop_ft.ids import task_id
from scoop_ft.wire import messages as wire

from .rig import Rig


def test_a_host_that_goes_with_its_agents_connection_loses_what_it_held() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a")
    rig.dispatch()
    rig.cut(agent)  # seen, for an answer could not be sent
    worker.awake = False  # not seen: nobody sends it anything
    rig.tick(timing.SILENT_AGENT_S + 1)
    assert rig.broker.book.tally.of(QUEUED) == 1
    assert agent.session not in rig.broker.peers


def test_a_worker_that_leaves_gets_nothing_though_its_agent_sees_it_alive() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    worker.leave()
    agent.heartbeat({worker: ("idle", b"")})
    root.submit("leaf:a")
    rig.dispatch()
    assert not [m for m, _ in worker.inbox if type(m) is wire.Run]


def test_a_parent_that_nobody_knows_is_told_so() -> None:
    rig = Rig()
    rig.root()
    worker = rig.worker()
    worker.submit_batch(task_id(bytes(range(16)), 3), bytes(16), 0, [b"leaf:a"])
    rig.flush()
    drops = [m for m, _ in worker.inbox if type(m) is wire.Drop]
    assert [m.spans for m in drops] == [[(bytes(range(16)), 3, 4)]]


def test_a_task_of_a_batch_that_was_lost_is_not_run_twice() -> None:
    rig = Rig()
    root, worker, other = rig.root(), rig.worker(), rig.worker()
    rig.commit()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    assert worker.queue
    rig.restart()  # the batch was not recorded
    for each in (worker, other):
        each.connect()
        rig.flush()
        each.handle()
        each.rest()
    rig.tick(timing.TICK_S, step=timing.TICK_S)
    root.connect()
    rig.flush()
    rig.tick(timing.TICK_S, step=timing.TICK_S)
    root.handle()
    rig.tick(timing.GRACE_S)
    rig.dispatch()
    assert not [m for m, _ in other.inbox if type(m) is wire.Run]
    rig.settle()
    assert (rig.ran, root.missing()) == ([b"leaf:a"], [])


def test_a_given_up_attempt_is_not_taken_for_the_next_one_of_the_same_worker() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("tree:2:a")
    rig.dispatch()
    worker.handle()
    old = worker.queue.popleft()  # it runs, and has said nothing yet
    rig.commit()
    worker.heard.clear()
    agent.heartbeat({worker: ("stopped", b"")})  # what it has is given to others
    rig.flush()
    assert [type(message) for message, _ in worker.inbox] == [wire.Drop]
    agent.heartbeat({worker: ("idle", b"")})
    worker.say(wire.Idle(worker.runs))
    rig.dispatch()
    assert [type(message) for message, _ in worker.inbox] == [wire.Drop, wire.Run], "again, to it"

    worker.submit_batch(old.id, old.place, 0, [b"leaf:of another attempt"])
    assert not rig.broker.book.families.get(old.id), "it said so before it had heard"
    worker.handle()
    rig.settle()
    assert not root.missing()
    assert not root.wrong()


def test_what_was_dropped_and_given_again_stays_given() -> None:
    """The answer to the drop comes after the same task was sent once more."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker, other = rig.worker(agent), rig.worker(agent)
    other.leave()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    rig.commit()
    agent.heartbeat({worker: ("stopped", b"")})
    agent.heartbeat({worker: ("idle", b"")})
    worker.say(wire.Idle(worker.runs))
    rig.dispatch()
    worker.handle()
    assert rig.stats["resubmitted"] == 1
    assert [item.argument for item in worker.queue] == [b"leaf:a"]
    assert list(rig.broker.peers[worker.session].held())
    rig.settle()
    assert rig.ran == [b"leaf:a"]
