"""A worker's session at the broker's rig: what it holds, hands back and forgets."""

from __future__ import annotations

import functools

from scoop_ft.broker import timing
from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import HELD, LEASED
from scoop_ft.client.scopes import Definition, Scope, define
from scoop_ft.client.session import Receipt
from scoop_ft.functions import dump_function
from scoop_ft.ids import batch_id, digest, task_id
from scoop_ft.wire import messages as wire
from scoop_ft.worker.functions import LOADED_BYTES, SPARE_BYTES
from scoop_ft.worker.session import WorkerSession

from ..broker.rig import Rig
from ..client.joined import JoinedRoot, JoinedWorker, tasks


def started(rig: Rig, *arguments: str) -> tuple[JoinedRoot, JoinedWorker]:
    """Return a root that has submitted, and a worker that has all of it."""
    root = JoinedRoot(rig)
    group = root.submit(*arguments)
    root.send()
    worker = JoinedWorker(rig)
    rig.commit()
    for _ in range(group.count):
        worker.real.say(wire.Idle(worker.real._runs))
        worker.send()
        rig.dispatch()
        worker.handle()
    assert len(tasks(worker)) == group.count
    return root, worker


def come_back(rig: Rig, worker: JoinedWorker) -> None:
    """A worker connects again."""
    worker.connect()
    rig.flush()
    worker.handle()
    rig.flush()
    worker.handle()


def test_a_parent_that_was_given_away_meanwhile_takes_no_child_with_it() -> None:
    rig = Rig()
    _, first = started(rig, "parent")
    parent = first.begin()
    scope = first.parent(parent)
    first.submit(scope, "a", "b")
    first.send()
    rig.commit()
    child = first.begin()
    rig.cut(first)  # type: ignore[arg-type]
    rig.tick(timing.LOST_S + 1)

    second = JoinedWorker(rig)
    rig.dispatch()
    second.handle()
    again = second.begin()
    there = second.parent(again)
    second.submit(there, "a", "b")
    second.send()

    come_back(rig, first)
    assert task_id(parent[0].batch, parent[1]) in first.abandoned
    first.real.end(scope, abandoned=True)  # what a runner does
    del first.real.running[task_id(parent[0].batch, parent[1])]
    first.finish(child, b"a's")
    first.send()
    second.real.idle = True
    rig.settle()
    assert b"a's" in {bytes(payload) for payload in results(second)}
    assert [span.wanted() for span, _, _ in second.real.queue.spans()] == [True], "b is here"


def results(worker: JoinedWorker) -> list[bytes]:
    """Return the results that the parents of a worker have."""
    return [
        bytes(chunk.data(position)[0])
        for scope in worker.real.scopes.values()
        for group in scope._groups
        for _, _, chunk, position in group.arrivals
    ]


def test_what_a_runner_has_claimed_and_what_is_on_its_way_is_held() -> None:
    rig = Rig()
    _, worker = started(rig, "a", "b", "c", "d")
    queue = worker.real.queue
    queue._costs[worker.begin()[0].functions[0]] = 1e-6
    worker.finish(next(iter(worker.real.running.values())), b"a's")
    assert len(tasks(worker)) == 4, "the result was not sent"
    worker.send()
    assert len(tasks(worker)) == 4, "the result was not acknowledged"
    piece = queue.take()
    assert piece is not None
    assert len(tasks(worker)) == 4, "a runner has them"
    rig.commit()
    worker.handle()
    assert len(tasks(worker)) == 3


def test_a_result_on_its_way_when_the_connection_breaks_is_not_computed_twice() -> None:
    rig = Rig()
    _, worker = started(rig, "a")
    other = rig.worker()
    worker.finish(worker.begin(), b"a's")
    worker.real.flush()
    worker.real.outbox.clear()  # lost
    rig.cut(worker)  # type: ignore[arg-type]
    worker.connect()
    rig.dispatch()
    other.handle()
    assert not other.queue


def test_claims_said_again_leave_out_what_was_handed_back() -> None:
    rig = Rig()
    root, worker = started(rig, "parent")
    rig.commit()
    worker.handle()
    scope = worker.parent(worker.begin())
    worker.submit(scope, "a", "b", "c", "d")
    worker.send()
    worker.inbox.append((wire.Recall(1), []))
    worker.handle()
    rig.restart()
    root.connect()
    come_back(rig, worker)
    batch = next(b for b in rig.broker.book.batches.values() if b.count == 4)
    assert [batch.state[i] == LEASED for i in range(4)].count(True) == 2


def test_claims_said_again_hold_what_has_ended_meanwhile() -> None:
    """Between the batch and the results that follow it, it would be given to another."""
    rig = Rig()
    _, worker = started(rig, "parent")
    scope = worker.parent(worker.begin())
    worker.submit(scope, "a", "b")
    worker.finish(worker.begin(), b"a's")
    worker.real.flush()
    worker.real.outbox.clear()  # turned away: the disk was full
    rig.cut(worker)  # type: ignore[arg-type]
    worker.connect()
    rig.flush()
    while worker.inbox:
        worker.real.on_message(*worker.inbox.popleft())
    said = [m for m, _ in worker.real.outbox if type(m) is wire.Submit]
    assert [m.claimed for m in said] == [[(0, 2)]]


def full_disk_and_reconnect(rig: Rig, worker: JoinedWorker) -> None:
    """What a worker says is turned away; it comes back, and nothing of its work went elsewhere."""
    worker.real.flush()
    worker.real.outbox.clear()  # turned away: the disk was full
    rig.cut(worker)  # type: ignore[arg-type]
    other = rig.worker()
    worker.connect()
    rig.dispatch()
    assert not other.inbox
    come_back(rig, worker)
    rig.commit()
    worker.handle()


def test_children_whose_parent_has_ended_here_are_held_until_its_result_is_recorded() -> None:
    """Nobody was told that they have ended: they would be run again before its result comes."""
    rig = Rig()
    _, worker = started(rig, "parent")
    parent = worker.begin()
    scope = worker.parent(parent)
    worker.submit(scope, "a", "b")
    worker.send()
    rig.commit()
    worker.handle()
    for _ in range(2):
        worker.finish(worker.begin(), b"a child's")
    worker.real.end(scope)
    worker.finish(parent, b"its own")
    assert len(tasks(worker)) == 3
    full_disk_and_reconnect(rig, worker)
    assert tasks(worker) == []


def test_so_are_their_own_children() -> None:
    """A parent that ended with its own parent has said no result either."""
    rig = Rig()
    _, worker = started(rig, "grandparent")
    grandparent = worker.begin()
    above = worker.parent(grandparent)
    worker.submit(above, "parent", "other")
    worker.send()
    parent = worker.begin()
    below = worker.parent(parent)
    worker.submit(below, "a", "b")
    worker.send()
    rig.commit()
    worker.handle()
    for _ in range(3):
        worker.finish(worker.begin(), b"a child's")
    worker.real.end(below)
    worker.finish(parent, b"its own")
    worker.real.end(above)
    worker.finish(grandparent, b"its own")
    assert len(tasks(worker)) == 5
    full_disk_and_reconnect(rig, worker)
    assert tasks(worker) == []


def test_a_worker_that_claims_its_tasks_children_is_not_idle() -> None:
    rig = Rig()
    _, worker = started(rig, "parent")
    scope = worker.parent(worker.begin())
    worker.real.idle = True  # it waits for something else
    worker.send()
    assert rig.broker.dispatcher.idle_sessions() == [worker.session]
    worker.real.idle = False
    worker.submit(scope, "a", "b", "c", "d")
    worker.send()
    assert not rig.broker.dispatcher.any_idle()
    rig.tick(0.1)
    other = rig.worker()
    rig.settle()
    assert other.all_of(wire.Run), "half of it was recalled, for the other one is idle"
    while worker.real.queue:
        worker.finish(worker.begin(), b"done")
    worker.real.idle = True
    worker.send()
    assert worker.session in rig.broker.dispatcher.idle_sessions(), "it says so again"


def test_nobody_holds_the_children_of_a_parent_that_failed() -> None:
    rig = Rig()
    _, worker = started(rig, "parent")
    parent = worker.begin()
    scope = worker.parent(parent)
    worker.submit(scope, "a", "b")
    worker.send()
    child = worker.begin()
    below = worker.parent(child)
    worker.submit(below, "c")
    worker.send()
    worker.finish(parent, b"an error", wire.Status.RAISED)
    worker.send()
    rig.check()
    assert rig.broker.book.tally.of(LEASED) == 0
    assert rig.broker.book.tally.of(HELD) == 3
    assert rig.broker.peers[worker.session].load == 0


def test_a_cancel_comes_after_the_batch_it_is_about() -> None:
    rig = Rig()
    _, worker = started(rig, "parent")
    scope = worker.parent(worker.begin())
    worker.submit(scope, "a", "b")
    request = worker.real.ask(lambda r: wire.Cancel(r, scope.task, [(1, 2)]))
    worker.send()
    rig.settle()
    assert worker.real.answer(request) == [(1, 2)]


def test_idleness_that_could_not_be_told_is_told_later() -> None:
    """While nobody answers, a task asks for something: what it flushed must not count as said."""
    rig = Rig()
    _, worker = started(rig, "parent")
    scope = worker.parent(worker.begin())
    rig.cut(worker)  # type: ignore[arg-type]
    worker.connect()
    worker.real.idle = True  # it polls, and there is room beside it
    worker.real.ask(lambda r: wire.Query(r, scope.task, 0))
    rig.flush()
    worker.handle()
    worker.send()
    assert worker.session in rig.broker.dispatcher.idle_sessions()


def test_what_was_abandoned_before_the_hello_was_read_is_handed_back() -> None:
    """It had been written when the broker was away."""
    rig = Rig()
    _, worker = started(rig, "parent")
    span, index = worker.begin()
    rig.cut(worker)  # type: ignore[arg-type]
    worker.connect()
    del worker.real.running[task_id(span.batch, index)]  # what a runner does
    rig.flush()
    worker.handle()
    worker.send()
    other = rig.worker()
    rig.dispatch()
    other.handle()
    assert other.queue


def test_what_is_abandoned_on_a_later_connection_is_handed_back() -> None:
    rig = Rig()
    _, worker = started(rig, "parent")
    span, index = worker.begin()
    dropped_on = worker.real.connections
    rig.cut(worker)  # type: ignore[arg-type]
    come_back(rig, worker)  # it holds the task still, and says so
    del worker.real.running[task_id(span.batch, index)]  # what a runner does
    worker.real.give_up(span, index, dropped_on)
    worker.send()
    other = rig.worker()
    rig.dispatch()
    other.handle()
    assert other.queue


def test_what_an_attempt_that_was_given_up_had_said_is_not_said_for_the_next_one() -> None:
    """The same worker may be given the task again, and connects again before it has begun it."""
    rig = Rig()
    _, worker = started(rig, "parent")
    parent = worker.begin()
    scope = worker.parent(parent)
    name = task_id(parent[0].batch, parent[1])
    rig.broker.full = "there is no room"
    worker.submit(scope, "a", "b")
    worker.real.ask(lambda request: wire.Cancel(request, name, [(0, 1)], False))
    worker.send()
    assert name not in rig.broker.book.families, "it was turned away"
    worker.real.end(scope, abandoned=True)  # what a runner does
    del worker.real.running[name]
    again = worker.parent(parent)
    worker.real.running[name] = parent
    worker.submit(again, "b")
    rig.broker.full = ""
    come_back(rig, worker)
    (batch,) = rig.broker.book.families[name].batches.values()
    assert batch.count == 1, "the other attempt's two are not there"
    assert not rig.broker.cancels
    assert not worker.real._asked
    rig.check()


def capturing(number: int) -> tuple[bytes, bytes]:
    """Return the digest and the pickle of a function with a large value of its own."""
    blob, _ = dump_function(functools.partial(max, bytes([number]) * (1 << 20)))
    return digest(blob), blob


def test_functions_that_the_broker_has_forgotten_are_forgotten() -> None:
    """Each generation of a script may have another one, that has captured its state."""
    session = WorkerSession(b"w" * 8, "host", b"")
    functions = session.functions
    session.connect()
    for number in range(64):
        name, blob = capturing(number)
        session.on_message(wire.Function(name, "f"), [blob])
        functions.load(name)
        session.on_message(wire.Forget([name]), [])
        pickles = functions._pickles.values()
        assert sum(len(blob) for _, blob in pickles) < SPARE_BYTES + (2 << 20)
        assert functions._loaded_bytes < LOADED_BYTES + (2 << 20)
    assert set(functions._loaded) == set(functions._weights)


def test_a_function_stays_while_there_is_a_call_of_it() -> None:
    session = WorkerSession(b"w" * 8, "host", b"")
    session.connect()
    first, blob = capturing(0)
    session.on_message(wire.Function(first, "f"), [blob])
    batch = batch_id(b"r" * 8, 1)
    run = wire.Run(batch, 0, 1, bytes(16), 0, [first], b"", bytes(4), 0, [], [])
    session.on_message(run, [b""])
    session.on_message(wire.Forget([first]), [])
    for number in range(1, 40):
        name, blob = capturing(number)
        session.on_message(wire.Function(name, "f"), [blob])
        session.on_message(wire.Forget([name]), [])
    assert first in session.functions
    session.queue.take()
    session.functions._spare_bytes = SPARE_BYTES
    session._forget_spare()
    assert first in session.functions, "it has just been claimed"


def captured(number: int) -> Definition:
    """Return a function that a task defines, which has captured something."""
    return define(functools.partial(max, bytes([number]) * 2_000))


def call(worker: JoinedWorker, scope: Scope, function: Definition) -> None:
    """A parent calls a function, and the broker hears of it."""
    scope.add(function, ("x",), {})
    worker.real.close(scope)
    worker.send()


def save(peer: JoinedRoot | JoinedWorker, scope: Scope) -> None:
    """A parent saves its state."""
    message = wire.Checkpoint(
        peer.real.number(), scope.task, 0, scope.next, 0, [], peer.real.last_batch(),
        scope.waits_for(), False, [],
    )  # fmt: skip
    peer.real.saved(message, [b"state"], Receipt())
    peer.send()


def is_recorded(rig: Rig, function: Definition) -> bool:
    """Is a function in the journal?"""
    rig.commit()
    numbers = {seq for seq, record in rig.journal.scan() if record.kind == Kind.FUNCTION}
    return rig.broker.book.functions.get(function.digest, (0, ""))[0] in numbers


def test_what_a_task_has_defined_leaves_with_the_state_that_makes_it_needless() -> None:
    """The tasks of each generation may define other functions, that have captured something."""
    rig = Rig()
    root, worker = started(rig, "a")
    for generation in range(3):
        function = captured(generation)
        parent = worker.begin()
        scope = worker.parent(parent)
        call(worker, scope, function)
        save(root, root.scope)
        assert is_recorded(rig, function), "a child of a task that runs is a call of it"
        worker.finish(worker.begin(), b"x")
        worker.finish(parent, b"a")
        worker.send()
        rig.commit()
        root.handle()
        save(root, root.scope)
        assert not is_recorded(rig, function)
        root.submit("a")
        root.send()
        worker.real.say(wire.Idle(worker.real._runs))
        worker.send()
        rig.dispatch()
        worker.handle()


def test_a_function_that_a_task_sends_is_there_for_the_call_behind_it() -> None:
    """The script may save its state between the two."""
    rig = Rig()
    root, worker = started(rig, "a")
    function = captured(0)
    worker.real.define(function, worker.parent(worker.begin()))
    worker.send()
    save(root, root.scope)
    assert is_recorded(rig, function)


def test_a_function_that_has_captured_something_is_sent_for_each_parent() -> None:
    rig = Rig()
    _, worker = started(rig, "a", "b")
    function = captured(0)
    first, second = (worker.parent(worker.begin()) for _ in range(2))

    def times() -> int:
        sent = [each.message for each in worker.real._unacknowledged]
        return sum(type(m) is wire.Define and m.digest == function.digest for m in sent)

    call(worker, first, function)
    call(worker, first, function)
    assert times() == 1
    call(worker, second, function)
    assert times() == 2
    save(worker, first)
    call(worker, first, function)
    call(worker, second, function)
    assert times() == 3, "what the first has called may have left with its state"
    worker.submit(first, "by its name")
    worker.submit(second, "by its name")
    worker.send()
    sent = [each.message for each in worker.real._unacknowledged]
    assert sum(type(m) is wire.Define for m in sent) == 4
    rig.restart()
    come_back(rig, worker)
    call(worker, second, function)
    assert times() == 4, "another broker may have forgotten it"
