"""What the broker does about options: time limits, attempts, order, resources, keys, once only."""

from __future__ import annotations

from typing import Any

import msgspec

from scoop_ft.broker import figures
from scoop_ft.broker.content import Content, same_task
from scoop_ft.broker.tasks import FAILED, LEASED
from scoop_ft.errors import TaskLost, TaskTimeout
from scoop_ft.ids import batch_id, digest
from scoop_ft.wire import messages as wire
from scoop_ft.wire.messages import Options

from .peers import FakeAgent, FakeRoot, FakeWorker, packed_ends
from .rig import Rig, taken


def keys(*names: str) -> Options:
    return Options(keys=b"".join(digest(name.encode()) for name in names))


def dies(rig: Rig, agent: FakeAgent, worker: FakeWorker, **how: Any) -> None:
    """A worker dies while it runs the first task that it has."""
    task = worker.queue[0].id
    rig.vanish(worker)
    agent.gone(worker, task=task, **how)


def lost(root: FakeRoot, ordinal: int) -> TaskLost:
    status, payload = root.results[ordinal]
    assert status == wire.Status.LOST
    return TaskLost.from_details(msgspec.msgpack.decode(payload))


# ---- time limits -------------------------------------------------------------------------------


def test_the_limit_goes_with_the_span_and_only_with_its_own() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", options=Options(time_limit_s=1.5))
    root.submit("leaf:b")
    worker = rig.worker()
    rig.settle()
    assert [run.time_limit_s for run in worker.all_of(wire.Run)] == [1.5, 0.0]


def test_an_overdue_task_fails_at_once_and_its_neighbours_run() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", "leaf:b", "leaf:c", options=Options(time_limit_s=2))
    worker = rig.worker(agent)
    taken(rig, worker, 3)
    dies(rig, agent, worker, overdue=True)
    (batch,) = rig.broker.book.batches.values()
    assert list(batch.state).count(FAILED) == 1
    assert not batch.attempts, "that is no crash"
    rig.worker(agent)
    rig.settle()
    error = lost(root, 0)
    assert isinstance(error, TaskTimeout)
    assert isinstance(error, TimeoutError)
    assert str(error).startswith("f had not ended on host after its time limit of 2 s")
    assert [root.results[o][0] for o in (1, 2)] == [0, 0]
    rig.restart()
    assert rig.stats["failed"] == 1


def test_a_resume_tries_an_overdue_task_again_with_the_limit_it_has_then() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(time_limit_s=2))
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    dies(rig, agent, worker, overdue=True)
    rig.settle()
    rig.peers.clear()
    rig.restart(resume=True)
    root = rig.root()
    root.submit("leaf:a", options=Options(time_limit_s=9))
    worker = rig.worker()
    rig.settle()
    assert root.results[0] == (0, b"[leaf:a]")
    assert [run.time_limit_s for run in worker.all_of(wire.Run)] == [9.0]
    assert len(rig.broker.book.batches) == 1, "it is the same task"


def test_who_was_overdue_is_not_blamed_when_another_runs_the_task() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(time_limit_s=2))
    first = rig.worker(agent)
    taken(rig, first, 1)
    agent.heartbeat({first: ("stopped", first.queue[0].id)})
    second = rig.worker(agent)
    taken(rig, second, 1)
    dies(rig, agent, first, overdue=True)
    rig.settle()
    assert root.results[0] == (0, b"[leaf:a]")


# ---- attempts ----------------------------------------------------------------------------------


def test_attempts_count_for_the_task_and_not_for_others() -> None:
    rig = Rig(max_attempts=2)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(attempts=4))
    for _ in range(3):
        worker = rig.worker(agent)
        taken(rig, worker, 1)
        dies(rig, agent, worker)
    assert not root.results
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    dies(rig, agent, worker)
    rig.settle()
    assert lost(root, 0).details["attempts"] == 4


# ---- not repeatable ----------------------------------------------------------------------------


def test_what_may_not_be_repeated_is_lost_with_its_worker() -> None:
    rig = Rig(max_attempts=3)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(repeatable=False))
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    dies(rig, agent, worker)
    rig.worker(agent)
    rig.settle()
    assert rig.ran == []
    assert "f was begun, and its worker died" in str(lost(root, 0))
    assert "repeatable=False" in str(lost(root, 0))


def test_what_may_not_be_repeated_is_lost_when_its_worker_died_doing_something_else() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("tree:2:a", options=Options(repeatable=False))
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    worker.step()  # it waits for its children: one of those runs
    rig.flush()
    dies(rig, agent, worker)
    rig.worker(agent)
    rig.settle()
    assert "may have been begun" in str(lost(root, 0))
    assert rig.ran == [b"tree:2:a"]


def test_what_may_not_be_repeated_and_cannot_go_on_says_why() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(repeatable=False))
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    unknown = wire.Submit(
        worker.number(), batch_id(worker.session, 1), worker.queue[0].id, bytes(16), 0, 1,
        [digest(b"of before a resume")], b"", packed_ends([b"leaf:b"]), [], [],
    )  # fmt: skip
    worker.keep(unknown, [b"leaf:b"])
    rig.settle()
    text = str(lost(root, 0))
    assert text.startswith("f was begun, and could not go on (a function it calls was known before")
    assert "its worker died" not in text


def test_what_may_not_be_repeated_waits_for_a_worker_that_is_stopped_or_out_of_reach() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(repeatable=False))
    root.submit("leaf:b")
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    task = worker.queue[0].id
    worker.awake = False
    agent.heartbeat({worker: ("stopped", task)})
    other = rig.worker(agent)
    rig.settle()
    assert (rig.ran, list(root.results)) == ([b"leaf:b"], [1])
    assert (
        "1 task with repeatable=False with a worker that is stopped"
        in figures.stats(rig.broker)["waiting"]
    )
    rig.cut(worker)
    rig.tick(20)
    assert rig.broker.book.batches[task[:16]].state[0] == LEASED
    worker.awake = True
    worker.connect()
    worker.handle()
    agent.heartbeat({worker: ("busy", task), other: ("idle", b"")})
    rig.settle()
    assert root.results[0] == (0, b"[leaf:a]")
    assert rig.ran.count(b"leaf:a") == 1
    assert figures.stats(rig.broker)["waiting"] == ""


def test_what_may_not_be_repeated_and_was_not_begun_goes_to_another() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", options=Options(repeatable=False))
    worker = rig.worker(agent)
    taken(rig, worker, 1)
    worker.leave()
    rig.worker(agent)
    rig.settle()
    assert root.results[0] == (0, b"[leaf:a]")


def test_what_may_not_be_repeated_is_given_out_one_by_one_to_who_has_nothing_to_do() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit(*(f"leaf:{i}" for i in range(50)))
    rig.settle()
    root.submit(*(f"leaf:{i}" for i in range(50)))
    root.submit(*(f"leaf:once{i}" for i in range(3)), options=Options(repeatable=False))
    rig.settle()
    assert not root.missing()
    runs = [run for run in worker.all_of(wire.Run) if run.ordinal >= 100]
    assert [run.stop - run.start for run in runs] == [1, 1, 1]
    assert rig.ran.index(b"leaf:once0") < 99, "it does not wait until all else is done"


# ---- order -------------------------------------------------------------------------------------


def test_priorities_order_what_waits() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:low", options=Options(priority=-1))
    root.submit("leaf:plain")
    root.submit("leaf:high", options=Options(priority=2))
    root.submit("leaf:higher", options=Options(priority=7))
    rig.worker()
    rig.settle()
    assert rig.ran == [b"leaf:higher", b"leaf:high", b"leaf:plain", b"leaf:low"]
    assert not root.missing()


def test_children_of_another_priority_come_to_their_parents() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    first.claims = second.claims = False
    root.submit("deep:3:a", "deep:2:b", options=Options(priority=5))
    root.submit("tree:3:c", options=Options(priority=-5))
    rig.settle()
    assert not root.missing()
    assert not root.wrong()


# ---- resources ---------------------------------------------------------------------------------


def test_resources_are_asked_for_and_missed_by_name() -> None:
    rig = Rig()
    root, plain = rig.root(), rig.worker()
    root.submit(*(f"leaf:gpu{i}" for i in range(3)), options=Options(resources={"gpu": 1}))
    root.submit("leaf:plain")
    rig.settle()
    assert rig.ran == [b"leaf:plain"]
    assert figures.stats(rig.broker)["waiting"] == "3 tasks need gpu=1; no worker has it"
    having = rig.worker(gpu=2)
    rig.settle()
    assert not root.missing()
    assert figures.stats(rig.broker)["waiting"] == ""
    assert len(having.all_of(wire.Run)) == 3
    assert len(plain.all_of(wire.Run)) == 1


def test_who_has_a_resource_comes_to_the_tasks_that_need_it_first() -> None:
    rig = Rig()
    root = rig.root()
    worker = rig.worker(gpu=1)
    root.submit(*(f"leaf:{i}" for i in range(200)))
    rig.settle()
    root.submit(*(f"leaf:{i}" for i in range(200)))
    root.submit("leaf:gpu", options=Options(resources={"gpu": 1}))
    rig.settle()
    assert not root.missing()
    assert rig.ran.index(b"leaf:gpu") < 390
    assert worker.all_of(wire.Run)


def test_a_crash_among_those_with_resources_is_tried_again_where_they_are() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:gpu", options=Options(resources={"gpu": 1}))
    plain, having = rig.worker(agent), rig.worker(agent, gpu=1)
    taken(rig, having, 1)
    dies(rig, agent, having)
    rig.settle()
    assert root.missing() == [0]
    rig.worker(agent, gpu=1)
    rig.settle()
    assert root.results[0] == (0, b"[leaf:gpu]")
    assert not plain.all_of(wire.Run)


def test_options_given_later_count_for_what_has_not_run() -> None:
    """Also in a journal that is read again, and for a part of a batch."""
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", "leaf:b", "leaf:c")
    rig.settle()
    rig.peers.clear()
    rig.restart(resume=True)
    root = rig.root()
    root.submit("leaf:a")
    root.submit("leaf:b", options=Options(resources={"gpu": 1}))
    root.submit("leaf:c")
    rig.settle()
    rig.restart()
    rig.tick(3)
    root.connect()
    rig.worker()
    rig.settle()
    assert root.missing() == [1]
    (batch,) = rig.broker.book.batches.values()
    assert batch.options_of(1).resources == {"gpu": 1}
    rig.worker(gpu=1)
    rig.settle()
    assert not root.missing()
    assert not root.wrong()


# ---- keys --------------------------------------------------------------------------------------


def content(argument: bytes, options: Options = wire.PLAIN) -> Content:
    ends = len(argument).to_bytes(4, "little")
    m = wire.Submit(1, bytes(16), bytes(20), bytes(16), 0, 1, [digest(b"f")], b"", ends, [], [],
                    False, options)  # fmt: skip
    return Content(m, argument, [])


def test_a_key_stands_for_the_arguments_where_both_have_one() -> None:
    one, other = content(b"x", keys("k")), content(b"y", keys("k"))
    assert same_task(one, 0, other, 0)
    assert not same_task(one, 0, content(b"x", keys("l")), 0)
    assert same_task(one, 0, content(b"x"), 0)
    assert not same_task(one, 0, content(b"y"), 0)
    assert set(one.names(0)) & {other.wanted(0)[0]}
    assert set(content(b"x").names(0)) & set(one.wanted(0))
    assert set(one.names(0)) & set(content(b"x").wanted(0))
    assert not set(one.names(0)) & set(content(b"x", keys("l")).wanted(0))


def test_a_key_is_found_at_whatever_ordinal_and_whatever_the_arguments() -> None:
    rig = Rig()
    root = rig.root()
    rig.worker()
    root.submit("leaf:a1", "leaf:b1", "leaf:c1", options=keys("a", "b", "c"))
    rig.settle()
    rig.peers.clear()
    rig.restart(resume=True)
    root = rig.root()
    root.submit("leaf:c2", "leaf:b2", "leaf:new", options=keys("c", "b", "new"))
    rig.worker()
    rig.settle()
    assert [root.results[o][1] for o in range(3)] == [b"[leaf:c1]", b"[leaf:b1]", b"[leaf:new]"]
    assert rig.stats["reused"] == 2
