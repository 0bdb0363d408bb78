"""A broker that is started again knows what was committed, and everybody goes on."""

from __future__ import annotations

from typing import Any

import pytest
from scoop_journal import JournalBroken, JournalFull

from scoop_ft.broker import timing
from scoop_ft.broker.book import Book
from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import CANCELLED, HELD, LEASED, QUEUED
from scoop_ft.ids import ROOT_ID
from scoop_ft.wire import messages as wire

from .peers import FakeRoot, expected
from .rig import Rig


def known(book: Book) -> dict[str, Any]:
    """Return what a book says, as far as it is recorded."""
    unfinished = {QUEUED: HELD, LEASED: HELD, CANCELLED: HELD}
    return {
        "batches": {
            batch.id: (
                batch.first, batch.intact, bytes(unfinished.get(s, s) for s in batch.state),
                batch.results, batch.attempts, batch.families,
            )
            for batch in book.batches.values()
        },
        "segments": {
            parent: [(s.first, s.count, s.batch.id, s.index) for s in family.segments]
            for parent, family in book.families.items()
            if family.segments
        },
        "functions": book.functions,
        "consts": book.consts,
        "members": book.members,
        "counts": (book.failed, book.exit_code),  # of what is dropped the journal knows nothing
    }  # fmt: skip


def reread(rig: Rig) -> Book:
    book = Book()
    for seq, record in rig.journal.scan():
        book.apply(seq, record.kind, record.header, len(record.payload))
    return book


def commit_and_compare(rig: Rig) -> None:
    rig.commit()
    assert known(reread(rig)) == known(rig.broker.book)


def test_after_each_commit_the_journal_says_what_the_broker_knows() -> None:
    rig = Rig(max_attempts=2)
    root, agent = rig.root(), rig.agent()
    workers = [rig.worker(agent) for _ in range(2)]
    commit_and_compare(rig)
    root.keep(wire.SetConst(root.number(), "key", [2]), [b"pickle", b"by"])
    root.submit("leaf:a", "deep:2:b", "leaf:bad", "tree:2:c")
    commit_and_compare(rig)
    for step in range(60):
        rig.dispatch()
        for worker in workers:
            worker.handle()
            if worker.queue and worker.queue[0].argument == b"leaf:bad":
                rig.vanish(worker)
                agent.gone(worker, task=worker.queue[0].id)
                workers[workers.index(worker)] = rig.worker(agent)
            elif worker.queue:
                worker.step()
            worker.rest()
        commit_and_compare(rig)
        if step == 20:
            root.keep(wire.SetConst(root.number(), "key", []), [b"other"])
    root.handle()
    assert not root.wrong()
    again = rig.root()
    again.submit("leaf:x", "leaf:a", "deep:2:b")
    commit_and_compare(rig)
    rig.settle()
    commit_and_compare(rig)
    again.end(0)
    commit_and_compare(rig)


def test_what_was_not_committed_is_said_again() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    rig.commit()
    root.submit("leaf:a", "leaf:b")
    rig.settle(commit=False)
    assert not root.missing()
    rig.restart()
    assert rig.stats["submitted"] == 0
    worker.connect()
    rig.flush()
    worker.handle()
    assert rig.broker.orphans
    root.connect()
    rig.settle()
    assert not rig.broker.orphans
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert sorted(rig.ran) == [b"leaf:a", b"leaf:b"], "results came before their batch, and waited"
    assert rig.stats["done"] == 2
    assert not root.kept
    assert not worker.kept


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


def test_a_resumed_run_has_no_members() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle()
    rig.peers.clear()
    rig.restart(resume=True)
    assert not rig.broker.book.members
    assert not rig.broker.grace_until
    assert not rig.broker.stopping
    commit_and_compare(rig)


def test_a_failure_that_is_tried_again_leaves_no_record() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    worker.finish(worker.queue.popleft(), b"what it raised", status=int(wire.Status.RAISED))
    rig.commit()
    assert rig.stats["failed"] == 1
    rig.peers.clear()
    rig.restart(resume=True)
    again, _worker = rig.root(), rig.worker()
    again.submit("leaf:a")
    rig.settle()
    assert again.results == {0: (0, expected(b"leaf:a"))}
    kinds = [record.kind for _, record in rig.journal.scan()]
    assert kinds.count(Kind.RESULTS) == 1


def test_a_full_disk_loses_nothing() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle(commit=False)
    rig.journal.capacity = 0
    with pytest.raises(JournalFull):
        rig.journal.commit()
    rig.settle(commit=False)
    assert root.kept
    rig.journal.capacity = None
    rig.settle()
    assert not root.kept
    assert root.results == {0: (0, expected(b"leaf:a"))}


def test_what_follows_something_that_was_turned_away_waits_for_it() -> None:
    """There is room again, and the peer has not heard yet that it shall begin anew."""
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    rig.settle()
    rig.broker.full = "no room"
    root.submit("leaf:a")
    rig.broker.on_room()
    root.submit("leaf:b")
    rig.commit()
    assert not rig.broker.book.batches
    rig.settle()
    assert not root.missing()
    assert not root.kept


def test_after_a_failed_sync_another_broker_goes_on() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle(commit=False)
    rig.journal.break_next_commit()
    with pytest.raises(JournalBroken):
        rig.journal.commit()
    rig.restart()
    root.connect()
    worker.connect()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert not root.missing()
    assert rig.ran == [b"leaf:a"]


def test_the_end_survives() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.end(0)
    rig.commit()
    rig.restart()
    agent.connect()
    rig.settle()
    root.connect()
    rig.settle()
    assert rig.broker.stats()["state"] == "done"
    assert agent.stopped or rig.broker.stopping


def test_what_a_dead_root_had_said_does_not_replace_the_living_one() -> None:
    """The broker was stopped; both hellos were there when it went on, in this order."""
    rig = Rig()
    before = FakeRoot(rig, rig.new_session())
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.say(before.session, wire.Hello(1, before.session, "root", "host", 1, b"", [], []))
    rig.settle()
    assert not root.missing()
    assert not root.stopped


def test_what_was_to_be_said_on_an_older_connection_is_not_said_on_the_new_one() -> None:
    """Two hellos of a session are read before anything is sent: its answers would be two."""
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle()
    root.results.clear()
    hosting = [wire.Hosting(ROOT_ID, 1, [(0, 1)])]
    for _ in range(2):
        rig.say(root.session, wire.Hello(1, root.session, "root", "host", 1, b"", hosting, []))
    said = [type(send.message) for send in rig.broker.outbox if send.session == root.session]
    assert said == [wire.Welcome, wire.Deliver]


def test_a_root_that_speaks_takes_over() -> None:
    rig = Rig()
    before, _worker = rig.root(), rig.worker()
    rig.peers.pop(before.session)  # it is killed, and nobody has noticed
    root = FakeRoot(rig, rig.new_session())
    rig._join(root)
    root.submit("leaf:a")
    rig.settle()
    assert not root.missing()
    rig.say(before.session, wire.Hello(1, before.session, "root", "host", 1, b"", [], []))
    assert rig.broker.root == root.session
    assert type(rig.broker.outbox[-1].message) is wire.Refused
