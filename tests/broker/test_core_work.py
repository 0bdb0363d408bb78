"""From submission to result: what runs, what is acknowledged when, what leaves the journal."""

from __future__ import annotations

import pytest

from scoop_ft.broker import figures
from scoop_ft.broker.records import Kind
from scoop_ft.errors import ProtocolError
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id
from scoop_ft.wire import messages as wire

from .made_up import FUNCTION, expected, packed_ends
from .peers import FakeRoot, FakeWorker
from .rig import Rig, function


def kinds(rig: Rig) -> list[int]:
    return [record.kind for _, record in rig.journal.scan()]


def test_submitted_run_and_delivered() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b", "leaf:c")
    rig.settle()
    assert root.results == {o: (0, expected(a)) for o, a in enumerate(root.arguments)}
    assert not root.kept
    assert not worker.kept
    assert rig.stats["done"] == rig.stats["submitted"] == 3
    assert not rig.stats["running"] + rig.stats["pending"] + rig.stats["dropped_late"]


def test_nothing_is_acknowledged_before_it_is_committed() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.settle(commit=False)
    assert root.results, "a result is passed on before it is synced"
    assert not root.all_of(wire.Ack)
    assert kinds(rig) == []
    assert (rig.stats["done"], rig.stats["running"]) == (0, 1), "nor counted as done"
    rig.commit()
    assert (rig.stats["done"], rig.stats["running"]) == (1, 0)
    root.handle()
    assert [ack.n for ack in root.all_of(wire.Ack)] == [2]
    assert not root.kept


def test_order_in_the_journal_is_causal() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("tree:2:a")
    rig.settle(commit=False)
    rig.commit()
    worker.handle()
    written = kinds(rig)
    assert written[:3] == [Kind.MEMBER, Kind.FUNCTION, Kind.BATCH]
    assert written[-1] == Kind.RESULTS


def test_a_batch_said_again_is_dropped() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", "leaf:b")
    rig.commit()  # the acknowledgement is lost with the connection
    rig.cut(root)
    root.connect()
    rig.worker()
    rig.settle()
    assert sorted(rig.ran) == [b"leaf:a", b"leaf:b"]
    assert kinds(rig).count(Kind.BATCH) == 1
    assert not root.kept
    assert not root.missing()


def test_results_that_came_while_the_root_was_away_are_delivered() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b")
    rig.dispatch()
    rig.cut(root)  # the submission is not acknowledged yet
    rig.settle()
    assert rig.stats["done"] == 2
    root.connect()
    rig.settle()
    assert not root.missing()
    assert rig.stats["dropped_late"] == 0
    assert rig.stats["submitted"] == 2


def test_a_late_result_counts_once() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a")
    rig.dispatch()
    worker.handle()
    (item,) = worker.queue
    worker.step()
    worker.finish(item, b"another")
    rig.settle()
    assert root.results == {0: (0, expected(b"leaf:a"))}
    assert rig.stats["dropped_late"] == 1
    assert kinds(rig).count(Kind.RESULTS) == 1


def test_a_failed_task_is_delivered_as_failed() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:b")
    rig.dispatch()
    worker.handle()
    while not worker.queue:
        rig.dispatch()
        worker.handle()
    worker.finish(worker.queue.popleft(), b"why", int(wire.Status.RAISED))
    rig.settle()
    assert root.results[0] == (wire.Status.RAISED, b"why")
    assert root.results[1][0] == wire.Status.OK
    assert rig.stats["failed"] == 1


def test_identical_calls_are_not_merged() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("leaf:a", "leaf:a", "leaf:a")
    rig.settle()
    assert rig.ran == [b"leaf:a"] * 3


def test_two_functions_in_one_batch() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.define()
    other, blob = function("other")
    root.keep(wire.Define(root.number(), other, "other"), [blob])
    arguments = [b"leaf:a", b"leaf:b"]
    root.arguments += arguments
    root.keep(
        wire.Submit(
            root.number(), batch_id(root.session, 9), ROOT_ID, ROOT_LINEAGE, 0, 2,
            [FUNCTION, other], b"\1\0\0\0", packed_ends(arguments), [], [],
        ),
        [b"".join(arguments)],
    )  # fmt: skip
    rig.settle()
    assert {m.digest for m in worker.all_of(wire.Function)} == {FUNCTION, other}
    assert b"".join(m.which for m in worker.all_of(wire.Run)) == b"\1\0\0\0"
    assert not root.missing()
    assert not root.wrong()


def test_buffers_follow_their_tasks() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.define()
    frames = [b"leaf:aleaf:bleaf:c", b"for a", b"for c, one", b"for c, two"]
    root.keep(
        wire.Submit(
            root.number(), batch_id(root.session, 9), ROOT_ID, ROOT_LINEAGE, 0, 3, [FUNCTION], b"",
            packed_ends([b"leaf:a"] * 3), [(0, 5), (2, 10), (2, 10)], [],
        ),
        frames,
    )  # fmt: skip
    seen: dict[int, list[bytes]] = {}
    for _ in range(3):
        rig.dispatch()
        for message, parts in worker.inbox:
            if type(message) is wire.Run:
                for (index, _), part in zip(message.buffers, parts[1:], strict=True):
                    seen.setdefault(index, []).append(part)
        worker.handle()
        while worker.queue:
            worker.step()
        worker.rest()
    assert seen == {0: [b"for a"], 2: [b"for c, one", b"for c, two"]}
    rig.commit()
    assert rig.stats["done"] == 3


def test_children_go_when_their_parent_is_done() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit("deep:2:a", "leaf:b")
    rig.settle()
    rig.settle()
    assert not root.wrong()
    assert not root.missing()
    assert list(rig.broker.book.families) == [ROOT_ID]
    assert kinds(rig).count(Kind.BATCH) == 1, "the children's records have left"
    assert rig.stats["submitted"] >= 2


def test_children_nobody_waited_for_are_neither_run_nor_kept() -> None:
    """A parent that ends before its children: what is queued or leased of them is forgotten."""
    rig = Rig()
    root, first, second = rig.root(), rig.worker(), rig.worker()
    root.handle()
    root.submit("tree:3:a")
    rig.dispatch()
    first.handle()
    second.handle()
    parent_at = first if first.queue else second
    other = second if parent_at is first else first
    parent_at.claims = False  # the broker queues the children
    parent_at.step()
    rig.dispatch()
    other.handle()
    (scope,) = parent_at.scopes.values()
    parent_at.end_scope(scope)
    parent_at.finish(scope.item, expected(scope.item.argument))
    rig.settle()
    assert not root.missing()
    assert list(rig.broker.book.families) == [ROOT_ID]
    assert all(peer.load == 0 for peer in rig.broker.peers.values())
    assert not other.queue, "its worker was told"


def test_one_burst_may_bring_a_result_and_the_end_of_who_wanted_it() -> None:
    """What is on its way to be sent can be read, even if a later message makes it superfluous."""
    rig = Rig()
    rig.root(), rig.worker()
    root = rig.root()
    rig.worker()
    for value in (b"one", b"two", b"three"):
        root.keep(wire.SetConst(root.number(), "key", []), [value])
    rig.settle()
    worker = rig.worker()
    assert [m.key for m in worker.all_of(wire.Const)] == ["key"]
    assert kinds(rig).count(Kind.CONST) == 1


def test_messages_that_make_no_sense_change_nothing() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    unknown = wire.Submit(
        1, batch_id(root.session, 1), ROOT_ID, ROOT_LINEAGE, 0, 1, [bytes(16)], b"",
        packed_ends([b"x"]), [], [],
    )  # fmt: skip
    with pytest.raises(ProtocolError):
        rig.say(root.session, unknown, [b"x"])
    with pytest.raises(ProtocolError):
        rig.say(worker.session, wire.End(1, 0))
    rig.settle()
    assert not root.all_of(wire.Ack)


def test_who_may_say_what() -> None:
    """A message from a role that has no business with it is refused."""
    rig = Rig()
    root, worker, agent = rig.root(), rig.worker(), rig.agent()
    for peer, message in (
        (root, wire.Idle(0)),
        (agent, wire.Idle(0)),
        (worker, wire.Gone(1, worker.session, 1, 0, 9, b"", "")),
        (root, wire.Heartbeat([])),
        (agent, wire.End(1, 0)),
    ):
        with pytest.raises(ProtocolError):
            rig.say(peer.session, message)


def test_a_session_that_has_not_said_hello_is_told_so() -> None:
    rig = Rig()
    rig.broker.on_message(b"somebody", wire.AskStatus(), b"", (), rig.now)
    (sent,) = rig.broker.take_outbox()
    assert sent.session == b"somebody"
    assert type(sent.message) is wire.Unknown


def test_another_protocol_is_refused() -> None:
    rig = Rig()
    hello = wire.Hello(wire.PROTOCOL_VERSION + 1, bytes(8), "worker", "host", 1, b"", [], [])
    rig.say(bytes(8), hello)
    (sent,) = rig.broker.take_outbox()
    assert type(sent.message) is wire.Refused
    assert "install the same" in sent.message.reason
    assert not rig.broker.peers


def test_the_end_is_told_to_agents_when_it_is_committed() -> None:
    rig = Rig()
    root, agent = rig.root(), rig.agent()
    root.end(3)
    rig.settle(commit=False)
    assert not agent.stopped
    rig.settle()
    assert agent.stopped
    assert figures.stats(rig.broker)["state"] == "failed"
    assert figures.stats(rig.broker)["exit_code"] == 3


def test_one_task_does_not_go_round_among_idle_workers() -> None:
    rig = Rig()
    root, workers = rig.root(), [rig.worker() for _ in range(3)]
    root.submit("leaf:a")
    for _ in range(10):
        rig.dispatch()
        for worker in workers:
            worker.handle()
            worker.rest()
    assert sum(len(worker.all_of(wire.Run)) for worker in workers) == 1
    assert sum(len(worker.queue) for worker in workers) == 1


def waiting(rig: Rig, root: FakeRoot) -> FakeWorker:
    """Return a worker whose task has waited, for a moment: it has said that it could run more."""
    worker: FakeWorker = rig.worker()
    root.submit("leaf:long")
    rig.dispatch()
    worker.handle()
    worker.say(wire.Idle(worker.runs))
    return worker


def test_a_worker_with_nothing_goes_before_one_whose_task_has_only_waited_for_a_moment() -> None:
    rig = Rig()
    root = rig.root()
    first = waiting(rig, root)
    second = rig.worker()
    root.submit("leaf:b")
    rig.dispatch()
    assert [m for m, _ in second.inbox if type(m) is wire.Run]
    assert not first.inbox


def test_who_has_become_free_goes_before_one_whose_task_waits() -> None:
    rig = Rig()
    root = rig.root()
    first, second = waiting(rig, root), rig.worker()
    root.submit("leaf:short")
    rig.dispatch()
    second.handle()
    second.say(wire.Idle(second.runs))
    second.finish(second.queue.popleft(), b"")
    root.submit("leaf:c")
    rig.dispatch()
    assert [m for m, _ in second.inbox if type(m) is wire.Run]
    assert not first.inbox


def test_a_suspect_does_not_stand_behind_what_runs_while_others_are_idle() -> None:
    rig = Rig()
    root = rig.root()
    first = waiting(rig, root)
    root.submit("leaf:suspect")
    batch = next(batch for batch in rig.broker.book.batches.values() if batch.first == 1)
    batch.count_attempt(0)
    rig.dispatch()  # it is put aside
    rig.dispatch()
    first.handle()
    assert [item.argument for item in first.queue] == [b"leaf:long", b"leaf:suspect"]
    second = rig.worker()
    rig.tick(0.1)
    rig.dispatch()
    first.handle()
    rig.dispatch()
    second.handle()
    assert [item.argument for item in second.queue] == [b"leaf:suspect"]
