"""Checkpoints and durable steps: what a parent that runs again finds, what leaves the journal."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from scoop_journal import RecordMissing

from scoop_ft.broker import figures
from scoop_ft.broker.records import Kind
from scoop_ft.ids import ROOT_ID, digest
from scoop_ft.wire import messages as wire

from .peers import FakePeer, FakeRoot, FakeWorker
from .rig import Rig, taken

CALL = digest(b"a call")
OTHER = digest(b"another call")


def checkpoint(
    peer: FakePeer, parent: bytes, first: int, stop: int, state: bytes = b"state", *,
    wanted: list[tuple[int, int]] | None = None, steps: list[tuple[int, int]] | None = None,
) -> None:  # fmt: skip
    upto = b"" if not peer.batches else peer.session + peer.batches.to_bytes(8, "big")
    message = wire.Checkpoint(
        peer.number(), parent, first, stop, 0, steps or [], upto, wanted or [], False, []
    )
    peer.keep(message, [state])


def step(peer: FakePeer, parent: bytes, number: int, call: bytes, value: bytes) -> None:
    message = wire.Step(peer.number(), parent, number, call, "f", 0, number + 1, [])
    peer.keep(message, [value])


def fetch(
    rig: Rig, peer: FakePeer, parent: bytes, number: int = -1, call: bytes = b"",
    taken: list[tuple[int, int]] | None = None,
) -> Any:  # fmt: skip
    """Ask, and return (found, value, number of the step or next ordinal)."""
    found: list[tuple[bool, bytes, int]] = []
    peer.on_fetched = lambda m, frames: found.append(  # type: ignore[attr-defined]
        (m.found, frames[0] if frames else b"", m.next if number < 0 else m.step)
    )
    peer.say(wire.Fetch(1, parent, number, call, taken or []))
    rig.flush()
    peer.handle()
    return found[0]


def kinds(rig: Rig) -> list[Kind]:
    return [Kind(record.kind) for _, record in rig.journal.scan()]


def begun(rig: Rig, *arguments: str) -> FakeRoot:
    """A root with a worker, all of whose calls have ended."""
    root = rig.root()
    rig.worker()
    root.submit(*arguments)
    rig.settle()
    assert not root.missing()
    return root


def test_a_root_that_runs_again_goes_on_from_its_checkpoint() -> None:
    rig = Rig()
    root = begun(rig, "leaf:a", "leaf:b")
    checkpoint(root, ROOT_ID, 0, 2, b"two are done")
    rig.settle()
    rig.restart(resume=True)
    rig.peers.clear()
    root = rig.root()
    assert fetch(rig, root, ROOT_ID) == (True, b"two are done", 2)


def test_what_a_checkpoint_stands_for_leaves_the_journal() -> None:
    rig = Rig()
    root = begun(rig, "leaf:a", "leaf:b")
    for generation in range(5):
        checkpoint(root, ROOT_ID, 0, 2 + generation, f"generation {generation}".encode())
        rig.settle()
        root.submit("leaf:c")
        rig.settle()
    found = kinds(rig)
    assert found.count(Kind.CHECKPOINT) == 1
    assert found.count(Kind.BATCH) == found.count(Kind.RESULTS) == 1
    assert figures.stats(rig.broker)["tasks"]["done"] == 7
    rig.restart(resume=True)
    assert figures.stats(rig.broker)["tasks"]["done"] == 7, "they were done, whoever looks"


def test_what_is_still_waited_for_stays() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", "leaf:b")
    root.submit("leaf:c")
    checkpoint(root, ROOT_ID, 0, 3, wanted=[(2, 3)])
    rig.settle()
    rig.worker()
    rig.settle()
    assert root.results.keys() == {2}
    assert rig.ran == [b"leaf:c"]


def test_what_was_before_load_stays() -> None:
    rig = Rig()
    root = begun(rig, "leaf:a")
    root.submit("leaf:b")
    rig.settle()
    checkpoint(root, ROOT_ID, 1, 2)
    rig.settle()
    rig.restart(resume=True)
    rig.peers.clear()
    root = rig.root()
    rig.worker()
    root.submit("leaf:a")
    rig.settle()
    assert rig.ran == [b"leaf:a", b"leaf:b"], "it is not run again"
    assert rig.broker.reused == 1


def test_a_batch_that_is_said_again_after_its_checkpoint_was_recorded_is_not_run_again() -> None:
    rig = Rig()
    root = begun(rig, "leaf:a")
    root.submit("leaf:b")
    rig.settle(commit=False)  # it has its result, and no acknowledgement
    checkpoint(root, ROOT_ID, 0, 2)
    rig.flush()
    rig.broker.drop_records()
    rig.journal.commit()  # and the broker dies before it can say so
    rig.restart()
    for peer in list(rig.peers.values()):
        peer.connect()
    rig.settle()
    rig.tick(3.0)
    rig.settle()
    assert rig.ran == [b"leaf:a", b"leaf:b"]
    assert not root.kept, "all is acknowledged"


@pytest.mark.parametrize("broker_dies", [False, True])
def test_a_checkpoint_that_is_said_again_does_not_replace_a_later_one(broker_dies: bool) -> None:
    """What the later one stands for is recorded no more: it would be run again."""
    rig = Rig()
    root = begun(rig, "leaf:a")
    checkpoint(root, ROOT_ID, 0, 1, b"one is done")
    root.submit("leaf:b")
    rig.settle(commit=False)
    checkpoint(root, ROOT_ID, 0, 2, b"two are done")
    rig.flush()
    rig.broker.drop_records()
    rig.journal.commit()  # and the root is not told
    if broker_dies:
        rig.restart()
        for peer in list(rig.peers.values()):
            peer.connect()
    else:
        rig.cut(root)
        root.connect()
    _, later, frames = root.kept.pop()  # this far what it says again has come
    rig.settle()
    assert fetch(rig, root, ROOT_ID) == (True, b"two are done", 2)
    root.keep(structs.replace(later, n=root.number()), frames)
    rig.tick(3.0)
    rig.settle()
    assert fetch(rig, root, ROOT_ID) == (True, b"two are done", 2)
    assert Kind.BATCH not in kinds(rig)
    assert rig.ran == [b"leaf:a", b"leaf:b"]
    assert not root.kept, "all is acknowledged"


def test_a_call_that_moved_up_is_found_after_a_checkpoint_too() -> None:
    """Before it, another call had taken its ordinal."""
    rig = Rig()
    root = begun(rig, "leaf:a")
    checkpoint(root, ROOT_ID, 0, 1)
    root.submit("leaf:b")
    rig.settle()
    (first,) = [peer for peer in rig.peers.values() if isinstance(peer, FakeWorker)]
    first.claims = False
    root.submit("tree:1:c")
    taken(rig, first, 1)
    first.step()
    first.awake = False  # another runs the child
    rig.worker()
    rig.settle()
    assert rig.ran == [b"leaf:a", b"leaf:b", b"tree:1:c", b"leaf:c.0"]
    rig.peers.clear()
    rig.restart(resume=True)
    root = rig.root()
    root.arguments = [b"leaf:a"]
    rig.worker()
    root.submit("leaf:new", "leaf:b")
    rig.settle()
    checkpoint(root, ROOT_ID, 1, 3)
    rig.settle()
    root.submit("tree:1:c")
    rig.settle()
    assert set(root.results) == {1, 2, 3}
    assert rig.ran.count(b"leaf:c.0") == 1


def test_a_checkpoint_leaves_with_its_task() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle(work=False)
    checkpoint(worker, worker.queue[0].id, 0, 0, b"half of it")
    rig.settle(work=False)
    assert fetch(rig, worker, worker.queue[0].id)[:2] == (True, b"half of it")
    assert Kind.CHECKPOINT in kinds(rig)
    rig.settle()
    assert not {Kind.CHECKPOINT, Kind.STEP} & set(kinds(rig))


def test_the_next_attempt_finds_it_on_another_worker() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.settle(work=False)
    task = first.queue[0].id
    for state in (b"one", b"two"):
        checkpoint(first, task, 0, 0, state)
    rig.settle(work=False)
    agent.gone(first, signal=9, task=task)
    second = rig.worker(agent)
    rig.settle(work=False)
    assert fetch(rig, second, task)[:2] == (True, b"two")


def test_who_has_lost_the_task_cannot_save_it_any_more() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.settle(work=False)
    task = first.queue[0].id
    agent.heartbeat({first: ("stopped", b"")})
    second = rig.worker(agent)
    rig.settle(work=False)
    checkpoint(second, task, 0, 0, b"newer")
    checkpoint(first, task, 0, 0, b"older")
    rig.settle(work=False)
    assert fetch(rig, second, task)[:2] == (True, b"newer")


def test_a_step_is_found_by_the_next_run_and_given_once() -> None:
    rig = Rig()
    root = rig.root()
    step(root, ROOT_ID, 0, CALL, b"first")
    step(root, ROOT_ID, 1, CALL, b"second")
    step(root, ROOT_ID, 2, OTHER, b"third")
    rig.settle()
    rig.restart(resume=True)
    rig.peers.clear()
    root = rig.root()
    assert fetch(rig, root, ROOT_ID, 0, OTHER) == (True, b"third", 2), "in another order"
    assert fetch(rig, root, ROOT_ID, 1, CALL, [(2, 3)]) == (True, b"second", 1)
    assert fetch(rig, root, ROOT_ID, 2, CALL, [(1, 3)]) == (True, b"first", 0)
    assert fetch(rig, root, ROOT_ID, 3, CALL, [(0, 3)]) == (False, b"", 3), "both were given"


def test_a_step_whose_number_another_call_has_gets_a_new_one() -> None:
    rig = Rig()
    root = rig.root()
    step(root, ROOT_ID, 0, CALL, b"old")
    rig.settle()
    rig.restart(resume=True)
    rig.peers.clear()
    root = rig.root()
    assert fetch(rig, root, ROOT_ID, 0, OTHER) == (False, b"", 1)
    assert figures.mismatches(rig.broker) == 1
    step(root, ROOT_ID, 1, OTHER, b"new")
    rig.settle()
    assert fetch(rig, root, ROOT_ID, 1, OTHER, [(1, 2)]) == (False, b"", 2)
    assert fetch(rig, root, ROOT_ID, 1, CALL, [(1, 2)]) == (True, b"old", 0)


def test_a_step_that_was_just_made_is_not_given_for_the_next_one() -> None:
    rig = Rig()
    root = rig.root()
    for number in range(3):
        assert (
            fetch(rig, root, ROOT_ID, number, CALL, [(0, number)] if number else None)[0] is False
        )
        step(root, ROOT_ID, number, CALL, b"value %d" % number)
        rig.settle()
        rig.restart()  # a new broker must not give it either
        root.connect()
        rig.settle()


def test_a_step_said_again_is_recorded_once() -> None:
    rig = Rig()
    root = rig.root()
    step(root, ROOT_ID, 0, CALL, b"value")
    rig.flush()
    rig.broker.drop_records()
    rig.journal.commit()
    rig.restart()
    root.connect()
    rig.settle()
    assert kinds(rig).count(Kind.STEP) == 1
    assert not root.kept


@pytest.mark.parametrize("value", [b"another", b"the same"])
def test_an_attempt_with_another_value_than_the_recorded_one_does_not_go_on(value: bytes) -> None:
    """It made its own while it was cut off, and was given the task again by what it holds."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    taken(rig, first, 1)
    task = first.queue[0].id
    rig.cut(first)
    step(first, task, 0, CALL, value)
    rig.tick(20.0)

    second = rig.worker(agent)
    taken(rig, second, 1)
    step(second, task, 0, CALL, b"the same")
    rig.commit()
    rig.vanish(second)
    agent.gone(second)
    rig.flush()

    first.connect()
    rig.flush()
    first.handle()
    rig.commit()
    first.handle()
    dropped = [m for m in first.all_of(wire.Drop) if not m.recall]
    assert bool(dropped) == (value != b"the same")
    taken(rig, first, 1)
    assert fetch(rig, first, task, 0, CALL) == (True, b"the same", 0)


def test_a_worker_that_slept_finds_nothing_of_a_task_that_is_done() -> None:
    """It is told to give the task up: it would begin from nothing what has ended elsewhere."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.dispatch()
    first.handle()
    task = first.queue[0].id
    agent.heartbeat({first: ("stopped", task)})
    rig.worker(agent)
    rig.settle()
    assert not root.missing()
    first.say(wire.Fetch(1, task, -1, b"", []))
    rig.flush()
    first.handle()
    assert not first.queue, "it was dropped"


def test_what_a_parent_has_kept_is_asked_for_before_its_batch_is_said_again() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    task = worker.queue[0].id
    rig.restart()
    worker.connect()
    rig.flush()
    worker.handle()
    answers: list[bool] = []
    worker.on_fetched = lambda m, frames: answers.append(m.found)  # type: ignore[attr-defined]
    worker.say(wire.Fetch(1, task, -1, b"", []))
    rig.flush()
    worker.handle()
    assert not answers
    root.connect()
    for peer in (root, worker):
        rig.flush()
        peer.handle()
    assert answers == [False]


def test_a_step_that_another_has_made_is_told_only_when_it_is_synced() -> None:
    """Who goes on with a value that a broker's death loses goes on with what nobody knows."""
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    first = rig.worker(agent)
    root.submit("leaf:a")
    rig.settle(work=False)
    first.handle()
    task = first.queue[0].id
    step(first, task, 0, CALL, b"the first's")
    rig.flush()
    rig.vanish(first)
    agent.gone(first, task=task)
    second = rig.worker(agent)
    rig.dispatch()
    second.handle()
    assert second.queue[0].id == task
    told: list[bytes] = []
    second.on_fetched = lambda m, frames: told.append(frames[0])  # type: ignore[attr-defined]
    second.say(wire.Fetch(1, task, 0, CALL, []))
    rig.flush()
    second.handle()
    assert not told
    assert rig.broker.hurry
    rig.commit()
    second.handle()
    assert told == [b"the first's"]


def test_a_root_checkpoint_drops_the_steps_it_has_behind_it() -> None:
    rig = Rig()
    root = rig.root()
    for number in range(4):
        step(root, ROOT_ID, number, CALL, b"value %d" % number)
    checkpoint(root, ROOT_ID, 0, 0, steps=[(1, 3)])
    rig.settle()
    assert kinds(rig).count(Kind.STEP) == 2
    assert fetch(rig, root, ROOT_ID, 0, CALL)[:2] == (True, b"value 0")
    assert fetch(rig, root, ROOT_ID, 3, CALL)[:2] == (True, b"value 3")


@pytest.mark.parametrize("progress", [True, False])
def test_a_task_that_gets_further_each_time_is_not_given_up(progress: bool) -> None:
    rig = Rig(max_attempts=2)
    root, agent = rig.root(), rig.agent()
    root.submit("leaf:a")
    for attempt in range(6):
        worker = rig.worker(agent)
        rig.settle(work=False)
        if not worker.queue:
            break
        checkpoint(worker, worker.queue[0].id, 0, 0, b"step %d" % (attempt if progress else 0))
        rig.settle(work=False)
        agent.gone(worker, signal=9, task=worker.queue[0].id)
    rig.settle(work=False)
    assert (root.results == {}) is progress, "else it is given up"


def test_a_dropped_record_cannot_be_read() -> None:
    rig = Rig()
    root = begun(rig, "leaf:a")
    old = rig.broker.book.batches[next(iter(rig.broker.book.batches))].seq
    checkpoint(root, ROOT_ID, 0, 1)
    rig.settle()
    with pytest.raises(RecordMissing), rig.journal.reading() as view:
        view.record(old)


def test_what_a_state_waits_for_comes_though_it_was_found_recorded_and_lost_on_the_way() -> None:
    rig = Rig()
    begun(rig, "leaf:a", "leaf:b")
    rig.restart(resume=True)
    rig.peers.clear()
    root = rig.root()
    root.submit("leaf:a", "leaf:b")
    checkpoint(root, ROOT_ID, 0, 2, wanted=[(1, 2)])
    rig.flush()  # the results, and the acknowledgements, are on their way
    root.disconnected()
    root.connect()
    rig.settle()
    assert root.results.keys() >= {1}
    assert not root.kept
    assert rig.ran == [b"leaf:a", b"leaf:b"]
