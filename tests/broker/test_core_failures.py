"""What the broker does when somebody dies, stops, leaves or is cut off, or the disk is full."""

from __future__ import annotations

import msgspec
import pytest

from scoop_ft.broker import figures, timing
from scoop_ft.broker.tasks import LEASED, QUEUED
from scoop_ft.errors import TaskLost
from scoop_ft.wire import messages as wire

from .made_up import expected, packed_ends
from .rig import Rig, taken

# ---- crashes -----------------------------------------------------------------------------------


def test_a_task_that_kills_its_workers_fails_alone() -> None:
    rig = Rig(max_attempts=2)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a", "leaf:bad", "leaf:c")
    for _ in range(2):
        worker = rig.worker(agent)
        taken(rig, worker, 1)
        while worker.queue[0].argument != b"leaf:bad":
            worker.step()
            taken(rig, worker, 1)
        task = worker.queue[0].id
        rig.vanish(worker)
        agent.gone(worker, task=task, signal=11, stderr="Segmentation fault")
    rig.worker(agent)
    rig.settle()
    assert [root.results[o][0] for o in range(3)] == [0, wire.Status.LOST, 0]
    why = msgspec.msgpack.decode(root.results[1][1])
    assert (why["attempts"], why["signal"], why["host"]) == (2, 11, "host")
    assert (why["function"], why["stderr"]) == ("f", "Segmentation fault")
    assert rig.ran.count(b"leaf:bad") == 0
    assert rig.stats["failed"] == 1
    rig.peers.clear()
    rig.restart()
    assert rig.stats["failed"] == 1, "the journal knows it"


def test_a_task_that_has_said_nonsense_fails_alone() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker(rig.agent())
    root.submit("leaf:a", "leaf:b", "leaf:c")
    taken(rig, worker, 3)
    parent = worker.queue[1]
    nonsense = wire.Submit(
        50, worker.session + bytes(8), parent.id, bytes(16), 0, 1, [bytes(16)], b"",
        packed_ends([b"x"]), [], [(5, 9)],
    )  # fmt: skip
    rig.broker.refuse(worker.session, nonsense, "ranges do not grow")
    rig.settle()
    assert [root.results[o][0] for o in range(3)] == [0, wire.Status.LOST, 0]
    why = msgspec.msgpack.decode(root.results[1][1])
    assert (why["function"], why["refused"]) == ("f", "ranges do not grow")
    said = str(TaskLost.from_details(why))
    assert said.startswith(
        "f has sent what makes no sense (ranges do not grow): please report this"
    )


def test_what_becomes_a_suspect_in_the_queue_is_tried_alone() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", "leaf:b", "leaf:c", "leaf:d")
    (batch,) = rig.broker.book.batches.values()
    batch.count_attempt(2)
    ready = rig.broker.ready
    assert ready.next(10) == (batch, 0, 2)
    ready.take(2)
    assert ready.next(10) == (batch, 3, 4)
    assert ready.next_alone() == (batch, 2, 3)


def test_a_suspect_is_tried_alone_and_its_neighbours_are_not_blamed() -> None:
    rig = Rig()
    root, agent, worker = rig.root(), rig.agent(), None
    worker = rig.worker(agent)
    root.submit("leaf:a", "leaf:b", "leaf:c", "leaf:d")
    taken(rig, worker, 4)
    blamed = worker.queue[1]
    rig.vanish(worker)
    agent.gone(worker, task=blamed.id)
    (batch,) = rig.broker.book.batches.values()
    assert batch.attempts == {blamed.index: 1}
    second = rig.worker(agent)
    rig.dispatch()
    second.handle()
    assert [item.index for item in second.queue] == [blamed.index]
    rig.dispatch()
    second.handle()
    assert len(second.queue) == 1, "nothing is given to it meanwhile"
    rig.settle()
    assert not root.missing()
    assert rig.stats["resubmitted"] == 4


def test_an_exit_without_a_crash_blames_nobody() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, worker, 1)
    task = worker.queue[0].id
    rig.vanish(worker)
    agent.gone(worker, task=task, signal=0)
    (batch,) = rig.broker.book.batches.values()
    assert not batch.attempts
    assert batch.state[0] == QUEUED


@pytest.mark.parametrize("stopped", [True, False])
def test_a_task_that_was_given_to_another_is_blamed_unless_its_worker_was_stopped(
    stopped: bool,
) -> None:
    """Not stopped: a broker that died had given it away, and had not recorded the death."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first, second = rig.worker(agent), None
    root.submit("leaf:a")
    taken(rig, first, 1)
    task = first.queue[0].id
    agent.heartbeat({first: ("stopped", task)})
    second = rig.worker(agent)
    taken(rig, second, 1)
    rig.vanish(first)
    agent.gone(first, task=task, stopped=stopped)
    rig.flush()
    (batch,) = rig.broker.book.batches.values()
    assert batch.attempts == ({} if stopped else {0: 1})
    rig.settle()
    assert not root.missing()


def test_gone_is_said_twice_and_counts_once() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, worker, 1)
    task = worker.queue[0].id
    rig.vanish(worker)
    agent.gone(worker, task=task)
    rig.cut(agent)
    agent.connect()
    rig.settle()
    (batch,) = rig.broker.book.batches.values()
    assert batch.attempts == {0: 1}
    assert not agent.kept


# ---- stopped, silent, cut off ------------------------------------------------------------------


def test_what_a_stopped_worker_held_is_offered_again_and_its_late_result_counts_once() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a", "leaf:b")
    taken(rig, first, 2)
    first.awake = False
    agent.heartbeat({first: ("stopped", first.queue[0].id)})
    assert rig.stats["running"] == 0
    second = rig.worker(agent)
    rig.settle()
    assert not root.missing()
    assert second.all_of(wire.Run)
    first.awake = True
    first.step()  # it had begun this one
    rig.settle()
    assert rig.stats["dropped_late"] == 1
    assert not first.queue, "the other one is dropped"
    agent.heartbeat({first: ("idle", b"")})
    root.submit("leaf:c")
    rig.vanish(second)
    rig.settle()
    assert root.results[2] == (0, expected(b"leaf:c")), "it works again"


def test_a_late_result_is_welcome_when_there_is_no_other() -> None:
    rig = Rig()
    root, agent, worker = rig.root(), rig.agent(), None
    worker = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, worker, 1)
    agent.heartbeat({worker: ("stopped", b"")})
    worker.step()
    rig.settle()
    assert root.results == {0: (0, expected(b"leaf:a"))}
    assert rig.stats["dropped_late"] == 0


def test_an_agent_that_is_silent_takes_its_workers_with_it() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, worker, 1)
    rig.tick(timing.SILENT_AGENT_S + 1)
    assert rig.stats["running"] == 0
    assert "stopped or silent" in figures.stats(rig.broker)["waiting"]
    agent.heartbeat({worker: ("idle", b"")})
    worker.handle()
    rig.settle()
    assert not root.missing()


def test_a_jump_of_the_clock_expires_nothing() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, worker, 1)
    rig.now += 3600
    rig.broker.on_tick(rig.now)
    rig.tick(1.0)
    assert rig.stats["running"] == 1


def test_a_jump_of_the_clock_is_seen_though_a_message_is_handled_first() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, worker, 1)
    rig.now += 3600
    root.submit("leaf:b")  # it was in the socket when the machine woke up
    rig.broker.on_tick(rig.now)
    assert rig.stats["running"] == 1
    assert rig.stats["resubmitted"] == 0
    assert not rig.broker.peers[worker.session].suspended


def test_a_lost_worker_keeps_what_it_runs_while_its_agent_sees_it_alive() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    worker = rig.worker(agent)
    root.submit("leaf:a", "leaf:b")
    taken(rig, worker, 2)
    rig.cut(worker)
    running = worker.queue[0]
    for _ in range(8):
        agent.heartbeat({worker: ("busy", running.id)})
        rig.tick(1.0)
    (batch,) = rig.broker.book.batches.values()
    assert batch.state[running.index] == LEASED
    assert rig.stats["pending"] == 1
    worker.connect()
    rig.settle()
    assert not root.missing()
    assert rig.stats["dropped_late"] == 0


def test_a_lost_worker_without_anybody_who_sees_it_loses_all() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    taken(rig, worker, 1)
    rig.cut(worker)
    rig.tick(timing.LOST_S + 1)
    assert rig.stats["pending"] == 1
    assert worker.session not in rig.broker.peers
    assert not rig.broker.book.members
    worker.connect()
    rig.settle()
    assert not root.missing()
    assert len(rig.ran) == 1, "it had it still"


def test_a_reconnected_worker_goes_on_beside_another_of_the_same_batch() -> None:
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    root.submit("leaf:a", "leaf:b", "leaf:c", "leaf:d")
    taken(rig, first, 1)
    second.handle()
    assert first.queue
    assert second.queue
    rig.cut(first)
    first.connect()
    rig.flush()
    assert not [m for m, _ in first.inbox if type(m) is wire.Drop]
    rig.settle()
    assert not root.missing()
    assert len(rig.ran) == 4


def test_a_span_lost_with_its_connection_is_given_again() -> None:
    rig = Rig()
    root, worker, other = rig.root(), rig.worker(), rig.worker()
    root.submit("leaf:a", "leaf:b", "leaf:c")
    rig.dispatch()
    rig.cut(worker)  # what was on its way to it
    worker.connect()
    rig.settle()
    assert not root.missing()
    assert other.runs


# ---- parents -----------------------------------------------------------------------------------


def test_a_dead_parent_takes_its_queued_children_out_of_the_queue() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    first.claims = False
    root.submit("tree:3:a")
    taken(rig, first, 1)
    first.step()
    assert rig.stats["pending"] == 3
    rig.vanish(first)
    agent.gone(first)
    assert rig.broker.book.tally.of(QUEUED) == 1, "only the parent"
    rig.worker(agent)
    rig.settle()
    assert not root.missing()


def test_children_of_a_failed_parent_are_not_run_on() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    worker.claims = False
    root.submit("tree:3:a")
    taken(rig, worker, 1)
    worker.step()
    (scope,) = worker.scopes.values()
    worker.end_scope(scope)
    worker.finish(scope.item, b"why", int(wire.Status.RAISED))
    rig.settle()
    assert rig.ran == [b"tree:3:a"]
    assert root.results[0][0] == wire.Status.RAISED


# ---- the disk ----------------------------------------------------------------------------------


def test_a_full_disk_refuses_what_is_new_and_takes_what_ends() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle(work=False)
    rig.broker.full = "the disk is full"
    root.submit("leaf:b")
    worker.step()
    rig.settle()
    assert rig.stats["submitted"] == 1
    assert rig.stats["done"] == 1
    assert figures.stats(rig.broker)["waiting"] == "the disk is full"
    assert len(root.kept) == 1
    rig.broker.on_room()
    rig.settle()
    assert not root.missing()
    assert not root.kept
    assert rig.ran == [b"leaf:a", b"leaf:b"]


def test_nonsense_while_the_disk_is_full_acknowledges_nothing() -> None:
    """What was said before it is said again when there is room, and so is this."""
    rig = Rig()
    root, worker = rig.root(), rig.worker(rig.agent())
    root.submit("leaf:a")
    taken(rig, worker, 1)
    rig.broker.full = "no room"
    seen = rig.broker.peers[worker.session].seen
    nonsense = wire.Submit(
        50, worker.session + bytes(8), worker.queue[0].id, bytes(16), 0, 1, [bytes(16)], b"",
        packed_ends([b"x"]), [], [(5, 9)],
    )  # fmt: skip
    rig.broker.refuse(worker.session, nonsense, "ranges do not grow")
    assert rig.broker.peers[worker.session].seen == seen
    rig.broker.on_room()
    rig.settle()
    assert not root.missing()


def test_who_connects_while_the_disk_is_full_is_served_when_there_is_room() -> None:
    rig = Rig()
    rig.broker.full = "the disk is full"
    root = rig.root()
    root.submit("leaf:a")
    rig.cut(root)
    root.connect()
    rig.worker()
    rig.settle()
    rig.broker.on_room()
    rig.settle()
    assert not root.missing()


# ---- constants ---------------------------------------------------------------------------------


def test_a_constant_reaches_everybody_once() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    for _ in range(2):
        root.keep(wire.SetConst(root.number(), "key", [3]), [b"pickle", b"big"])
    rig.settle()
    late = rig.worker()
    assert len(worker.all_of(wire.Const)) == len(late.all_of(wire.Const)) == 1
    assert not root.all_of(wire.Const)


def test_a_failure_that_is_tried_again_does_not_come_up_from_a_later_record() -> None:
    """It was said twice, the second time beside a result that counted."""
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b", "leaf:c")
    taken(rig, worker, 3)
    items = list(worker.queue)
    worker.finish(items[1], b"no", status=1)
    payloads = [b"[leaf:a]", b"no", b"[leaf:c]"]
    all_of_them = wire.Results(
        worker.number(), items[0].batch, [(0, 3)], bytes((0, 1, 0)), packed_ends(payloads), [],
        1, 1000, False,
    )  # fmt: skip
    worker.keep(all_of_them, [b"".join(payloads)])
    rig.flush()
    rig.commit()
    rig.peers.clear()
    rig.restart(resume=True)
    assert (rig.stats["done"], rig.stats["failed"]) == (2, 0)
    rig.restart()
    assert (rig.stats["done"], rig.stats["failed"]) == (2, 0), "nor after another crash"
    root = rig.root()
    root.submit("leaf:a", "leaf:b", "leaf:c")
    rig.worker()
    rig.settle()
    rig.tick(timing.GRACE_S + 1)  # the worker of before might have come back
    rig.settle()
    assert rig.ran == [b"leaf:b"]
    assert not root.wrong()
    rig.restart()
    assert (rig.stats["done"], rig.stats["failed"]) == (3, 0)
