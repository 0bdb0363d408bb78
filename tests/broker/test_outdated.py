"""An attempt comes back whose calls a later one has put in another order: it gets none of them."""

from __future__ import annotations

import pytest

from scoop_ft.broker import timing
from scoop_ft.ids import ROOT_ID, batch_id
from scoop_ft.wire import messages as wire

from . import peers
from .peers import FakeRoot, FakeWorker
from .rig import Rig

CALLS = "tree:2:a"


def lost(rig: Rig, peer: peers.FakePeer) -> None:
    """A process dies, and is given up."""
    rig.vanish(peer)
    rig.tick(timing.LOST_S + 1)


def begin(
    rig: Rig, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, *, backwards: bool
) -> None:
    """Have a worker begin what is queued, and submit its calls in this order or in the other."""
    worker.claims = False
    rig.dispatch()
    worker.handle()
    assert worker.queue
    as_called = peers.children
    with monkeypatch.context() as patch:
        if backwards:
            patch.setattr(peers, "children", lambda argument: as_called(argument)[::-1])
        worker.step()
    rig.settle(work=False)


def begun(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeRoot, FakeWorker]:
    """Return a root, and a worker that has submitted the calls of its task."""
    root, worker = rig.root(), rig.worker()
    root.submit(CALLS)
    begin(rig, worker, monkeypatch, backwards=False)
    return root, worker


def overtaken(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeRoot, FakeWorker, FakeWorker]:
    """Return a root, who is cut off as it runs its task, and who has begun that since."""
    root, first = begun(rig, monkeypatch)
    rig.cut(first)
    rig.tick(timing.LOST_S + 1)
    second = rig.worker()
    begin(rig, second, monkeypatch, backwards=True)
    return root, first, second


def ends_well(rig: Rig, root: FakeRoot) -> None:
    rig.tick(timing.GRACE_S + timing.LOST_S + 1)
    rig.settle()
    assert not root.missing()
    assert not root.wrong()


@pytest.mark.parametrize("restarted", [False, True])
def test_who_comes_back_begins_anew(monkeypatch: pytest.MonkeyPatch, restarted: bool) -> None:
    """It would take one call's result for another's."""
    rig = Rig()
    root, first, second = overtaken(rig, monkeypatch)
    if restarted:
        rig.restart()
        root.connect()
        rig.vanish(second)
    else:
        lost(rig, second)
    first.connect()
    rig.settle(work=False)
    ends_well(rig, root)
    assert rig.ran.count(CALLS.encode()) == 3


def test_who_was_given_the_task_again_and_has_not_heard_of_it_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was told to drop the task, and given it again, on a connection that broke then."""
    rig = Rig()
    root, first, second = overtaken(rig, monkeypatch)
    lost(rig, second)
    first.connect()
    rig.flush()
    first.handle(1)
    first.say(wire.Idle(0))
    rig.dispatch()
    assert any(type(m) is wire.Run for m, _ in first.inbox)
    rig.cut(first)
    first.connect()
    rig.settle(work=False)
    ends_well(rig, root)


def test_so_does_who_was_not_told_that_its_calls_are_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says them again."""
    rig = Rig()
    root, first = rig.root(), rig.worker()
    first.claims = False
    root.submit(CALLS)
    rig.dispatch()
    first.handle()
    first.step()
    rig.flush()
    rig.journal.commit()
    rig.cut(first)
    rig.tick(timing.LOST_S + 1)
    second = rig.worker()
    begin(rig, second, monkeypatch, backwards=True)
    lost(rig, second)
    first.connect()
    rig.settle(work=False)
    ends_well(rig, root)


def test_so_does_who_was_silent_while_its_agent_came_back_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    agent, root = rig.agent(), rig.root()
    first = rig.worker(agent)
    root.submit(CALLS)
    begin(rig, first, monkeypatch, backwards=False)
    first.say(wire.Idle(first.runs))
    agent.handle()
    first.awake = False
    rig.tick(timing.SILENT_AGENT_S + 2)
    second = rig.worker()
    begin(rig, second, monkeypatch, backwards=True)
    lost(rig, second)
    agent.connect()
    rig.flush()
    agent.handle()
    agent.heartbeat({first: ("idle", b"")})
    rig.dispatch()
    assert any(type(m) is wire.Run and m.replayed for m, _ in first.inbox)
    first.awake = True
    rig.cut(first)
    first.connect()
    for _ in range(6):
        agent.heartbeat({first: ("idle", b"")})
        rig.settle()
        rig.tick(1)
    assert not root.missing()
    assert not root.wrong()


@pytest.mark.parametrize("backwards", [False, True])
def test_who_has_begun_since_goes_on(monkeypatch: pytest.MonkeyPatch, backwards: bool) -> None:
    """Also when it has submitted the same, so that nothing of it was new, and brokers die."""
    rig = Rig()
    root, first = begun(rig, monkeypatch)
    lost(rig, first)
    second = rig.worker()
    begin(rig, second, monkeypatch, backwards=True)
    lost(rig, second)
    third = rig.worker()
    begin(rig, third, monkeypatch, backwards=backwards)
    rig.cut(third)
    third.connect()
    rig.settle(work=False)
    for _ in range(3):
        rig.commit()
        rig.restart()
        root.connect()
        third.connect()
        rig.settle(work=False)
        rig.tick(timing.GRACE_S + 1)
        rig.settle(work=False)
    assert not third.all_of(wire.Drop)
    assert rig.ran == [CALLS.encode()] * 3


def test_what_may_not_be_repeated_is_not_lost_with_a_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two resumes have tried it again, the last one in the order of the one before."""
    rig = Rig()
    options = wire.Options(repeatable=False)
    for backwards in (False, True, True):
        root, agent = rig.root(), rig.agent()
        worker = rig.worker(agent)
        root.submit(CALLS, options=options)
        rig.settle(work=False)
        begin(rig, worker, monkeypatch, backwards=backwards)
        if rig.ran.count(CALLS.encode()) == 3:
            break
        rig.vanish(worker)
        agent.gone(worker, task=next(iter(worker.scopes)))
        rig.settle(work=False)
        rig.vanish(agent)
        rig.vanish(root)
        rig.commit()
        rig.restart(resume=True)
    rig.commit()
    rig.restart()
    for peer in (agent, root, worker):
        peer.connect()
    rig.settle(work=False)
    rig.tick(timing.GRACE_S + 1)
    rig.settle(work=False)
    assert not root.results


def test_a_root_that_was_replaced_is_sent_away() -> None:
    """The broker that had replaced it is dead, and the other root, too."""
    rig = Rig()
    one = rig.root()
    one.submit("leaf:a")
    one.submit("leaf:b")
    rig.settle()
    rig.cut(one)
    del rig.peers[one.session]
    two = rig.root()
    two.submit("leaf:b")
    two.submit("leaf:a")
    rig.settle(work=False)
    rig.restart()
    rig.vanish(two)
    rig.peers[one.session] = one
    one.connect()
    rig.worker()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert one.stopped == "another root has taken over"
    three = rig.root()
    three.submit("leaf:b")
    three.submit("leaf:a")
    rig.settle()
    assert not three.missing()
    assert not three.wrong()


def test_a_root_of_which_only_a_part_was_heard_is_sent_away_too() -> None:
    """Its first batch was all recorded before, under another name, and would be taken for new."""
    rig = Rig()
    zero = rig.root()
    zero.submit("leaf:x")
    rig.settle()
    one = rig.root()
    for call in ("leaf:x", "leaf:y", "leaf:z"):
        one.submit(call)
    rig.flush()
    rig.journal.commit()  # it was not told
    rig.cut(one)
    del rig.peers[one.session]
    two = rig.root()
    for call in ("leaf:y", "leaf:z", "leaf:x"):
        two.submit(call)
    rig.settle()
    rig.restart()
    rig.vanish(two)
    rig.peers[one.session] = one
    one.connect()
    rig.worker()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert one.stopped
    assert not one.wrong()


def save(rig: Rig, root: FakeRoot, done: int) -> None:
    """Have a root save a state that stands for so many of its calls."""
    upto = batch_id(root.session, root.batches) if root.batches else b""
    checkpoint = wire.Checkpoint(root.number(), ROOT_ID, 0, done, 0, [], upto, [], False, [])
    root.keep(checkpoint, [b"state"])
    rig.settle()


def loaded(rig: Rig, monkeypatch: pytest.MonkeyPatch, done: int) -> FakeRoot:
    """Return a root that goes on from a state which stands for so many of its calls."""
    root = rig.root()
    root.arguments = [b"leaf:?"] * done
    root.results = {ordinal: (0, b"[leaf:?]") for ordinal in range(done)}

    def hosting() -> list[wire.Hosting]:
        until = min(len(root.arguments), root.unacknowledged_from(ROOT_ID))
        waits = [(o, o + 1) for o in root.missing() if o < until]
        return [wire.Hosting(ROOT_ID, until, waits, [(0, done)])]

    monkeypatch.setattr(root, "hosting", hosting)
    return root


@pytest.mark.parametrize("submits", [False, True])
def test_a_root_goes_on_that_has_gone_on_from_anothers_state(
    monkeypatch: pytest.MonkeyPatch, submits: bool
) -> None:
    rig = Rig()
    one = rig.root()
    worker = rig.worker()
    one.submit("leaf:a")
    rig.settle()
    save(rig, one, 1)
    rig.vanish(one)
    two = loaded(rig, monkeypatch, 1)
    if submits:
        two.submit("leaf:b")
    rig.settle()
    rig.restart()
    two.connect()
    worker.connect()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert not two.stopped


@pytest.mark.parametrize("submits", [False, True])
def test_a_root_that_waits_for_what_another_ones_state_stands_for_is_sent_away(
    monkeypatch: pytest.MonkeyPatch, submits: bool
) -> None:
    """That one has submitted others, or nothing since it has loaded a state itself."""
    rig = Rig()
    one = rig.root()
    one.submit("leaf:a")
    one.submit("leaf:b")
    rig.settle()
    rig.cut(one)
    del rig.peers[one.session]
    two, worker = rig.root() if submits else loaded(rig, monkeypatch, 2), rig.worker()
    if submits:
        two.submit("leaf:b")
        two.submit("leaf:a")
    rig.settle()
    save(rig, two, 2)
    rig.commit()
    rig.restart()
    rig.vanish(two)
    rig.peers[one.session] = one
    one.connect()
    worker.connect()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert one.stopped


def test_a_root_goes_on_whose_calls_have_left_with_its_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an earlier root had put at other ordinals is still recorded."""
    rig = Rig()
    one = rig.root()
    one.submit("leaf:a", "leaf:b", "leaf:c")
    rig.settle()
    rig.vanish(one)
    rig.commit()
    rig.restart(resume=True)
    two, worker = rig.root(), rig.worker()
    two.submit("leaf:d", "leaf:e", "leaf:f")
    rig.settle()
    save(rig, two, 3)
    rig.vanish(two)
    rig.vanish(worker)
    rig.commit()
    rig.restart(resume=True)
    three, worker = loaded(rig, monkeypatch, 3), rig.worker()
    three.submit("leaf:g")
    rig.settle()
    save(rig, three, 4)
    rig.commit()
    rig.commit()
    rig.restart()
    three.connect()
    worker.connect()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert not three.stopped
    three.submit("leaf:h")
    rig.settle()
    assert not three.missing()
    assert not three.wrong()
