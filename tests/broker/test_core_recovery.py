"""A broker that is started again knows what was committed, and everybody goes on."""

from __future__ import annotations

from typing import Any

import pytest
from scoop_journal import JournalBroken, JournalFull

from scoop_ft.broker import figures, from_journal, timing
from scoop_ft.broker.book import Book
from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import CANCELLED, HELD, LEASED, QUEUED
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE
from scoop_ft.wire import messages as wire

from .made_up import expected
from .peers import FakeRoot
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
        "dead": list(book.dead),
        "counts": (book.failed, book.exit_code),  # of what is dropped the journal knows nothing
    }  # fmt: skip


def reread(rig: Rig) -> Book:
    book = Book()
    for seq, record in rig.journal.scan():
        from_journal.apply(book, seq, record)
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
    assert figures.stats(rig.broker)["state"] == "done"
    assert agent.stopped or rig.broker.stopping


def test_what_a_dead_root_had_said_does_not_replace_the_living_one() -> None:
    """The broker was stopped; both hellos were there when it went on, in this order."""
    rig = Rig()
    before = FakeRoot(rig, rig.new_session())
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.say(
        before.session,
        wire.Hello(wire.PROTOCOL_VERSION, before.session, "root", "host", 1, b"", [], []),
    )
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
        rig.say(
            root.session,
            wire.Hello(wire.PROTOCOL_VERSION, root.session, "root", "host", 1, b"", hosting, []),
        )
    said = [type(send.message) for send in rig.broker.outbox if send.session == root.session]
    assert said == [wire.Welcome, wire.Deliver]


def test_what_a_root_has_gone_past_is_found_wherever_it_submits_it() -> None:
    """A root that makes its durable steps first goes on behind what it has not submitted yet."""
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b")
    rig.settle()
    rig.restart(resume=True)
    rig.peers.clear()
    root, _worker = rig.root(), rig.worker()
    hosting = [wire.Hosting(ROOT_ID, 1, [], [(0, 1)])]
    rig.say(
        root.session,
        wire.Hello(wire.PROTOCOL_VERSION, root.session, "root", "host", 1, b"", hosting, []),
    )
    root.arguments = [b"leaf:b", b"leaf:b", b"leaf:a"]
    root.submit_batch(ROOT_ID, ROOT_LINEAGE, 1, root.arguments[1:])
    rig.settle()
    assert sorted(root.results) == [1, 2]
    assert not root.wrong()
    assert rig.ran == [b"leaf:a", b"leaf:b"], "each once"


def test_a_root_that_speaks_takes_over() -> None:
    rig = Rig()
    before, _worker = rig.root(), rig.worker()
    rig.peers.pop(before.session)  # it is killed, and nobody has noticed
    root = FakeRoot(rig, rig.new_session())
    rig._join(root)
    root.submit("leaf:a")
    rig.settle()
    assert not root.missing()
    rig.say(
        before.session,
        wire.Hello(wire.PROTOCOL_VERSION, before.session, "root", "host", 1, b"", [], []),
    )
    assert rig.broker.root == root.session
    assert type(rig.broker.outbox[-1].message) is wire.Refused
