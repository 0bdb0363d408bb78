"""Thousands of workers: who holds what and who is away is found without a look at all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoop_ft.broker import figures
from scoop_ft.broker.holders import Holders
from scoop_ft.broker.peers import Peer, Peers
from scoop_ft.broker.policy import Costs
from scoop_ft.broker.tasks import DONE, HELD, LEASED, QUEUED, Batch, Tally
from scoop_ft.broker.timing import TICK_S
from scoop_ft.wire import messages as wire

from .peers import FakeAgent, FakeRoot, FakeWorker
from .rig import Rig

FEW, MANY = 20, 200


def batch_of(count: int, functions: int = 1) -> Batch:
    names = [bytes((number,)) * 16 for number in range(functions)]
    return Batch(
        Tally(), id=bytes(16), seq=1, records=1, parent=bytes(20), lineage=bytes(16), first=0,
        count=count, functions=names, payload_bytes=count,
    )  # fmt: skip


# ---- what is done for each message, span and tick ------------------------------------------------


def steps(action: Callable[[], Any]) -> int:
    """Count what the broker's code does, in Python's smallest steps."""
    count = 0

    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return local

    def every(frame: FrameType, event: str, _: Any) -> Any:
        if "scoop_ft/broker" not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        frame.f_trace_opcodes = True
        return local

    sys.settrace(every)
    try:
        action()
    finally:
        sys.settrace(None)
    return count


class Crowd:
    """So many workers, each with a task, and others that wait."""

    def __init__(self, workers: int) -> None:
        self.rig = Rig(checked=False)
        self.root: FakeRoot = self.rig.root()
        self.agent: FakeAgent = self.rig.agent()
        self.workers: list[FakeWorker] = [self.rig.worker(self.agent) for _ in range(workers)]
        self.root.submit(*["leaf:a"] * (4 * workers))
        self.rig.dispatch()
        for worker in self.workers:
            worker.handle()
            assert len(worker.queue) == 1
        self.agent.heartbeat({})
        self.rig.flush()

    def result(self) -> None:
        """A worker's result, and its next task."""
        worker = self.workers.pop()
        worker.step()
        worker.rest()
        self.rig.broker.dispatch()
        self.rig.flush()
        worker.handle()
        assert worker.queue, "it has its next task"

    def tick(self) -> None:
        self.rig.now += TICK_S
        self.rig.broker.on_tick(self.rig.now)

    def heartbeat(self) -> None:
        self.agent.heartbeat({})

    def returns(self) -> None:
        """A worker loses its connection, and is back."""
        worker = self.workers.pop()
        self.rig.cut(worker)
        worker.connect()
        self.rig.broker.take_outbox()


@pytest.mark.skipif(sys.gettrace() is not None, reason="somebody else traces")
@pytest.mark.parametrize("action", ["result", "tick", "heartbeat", "returns"])
def test_it_does_not_grow_with_the_workers(action: str) -> None:
    counts = []
    for workers in (FEW, MANY):
        crowd = Crowd(workers)
        for _ in range(2):  # what is looked at now and then was looked at
            getattr(crowd, action)()
        counts.append(steps(getattr(crowd, action)))
    few, many = counts
    assert few > 20
    assert many < 1.3 * few


def test_an_agent_is_told_of_all_workers_at_once_and_an_observer_of_each() -> None:
    crowd = Crowd(3)
    crowd.agent.handle()
    told = crowd.agent.all_of(wire.Stats)[-1].stats
    assert "workers" not in told
    assert (told["workers_known"], told["workers_up"], told["waiting"]) == (3, 3, "")
    assert len(figures.stats(crowd.rig.broker)["workers"]) == 3


def test_what_an_agent_is_told_of_all_workers_is_looked_up_again() -> None:
    crowd = Crowd(3)
    crowd.rig.cut(crowd.workers[0])
    crowd.rig.now += 1.0
    crowd.agent.heartbeat({})
    crowd.rig.flush()
    crowd.agent.handle()
    told = crowd.agent.all_of(wire.Stats)[-1].stats
    assert (told["workers_known"], told["workers_up"]) == (3, 2)


# ---- the parts -----------------------------------------------------------------------------------

LEASES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(0, 4)))


@settings(deadline=None)
@given(LEASES, st.data())
def test_holders_are_found_by_task(leases: list[tuple[int, int, int]], data: st.DataObject) -> None:
    holders, model = Holders(), []
    for start, length, who in leases:
        lease = (start, start + length, bytes((who,)))
        model.append(lease)
        holders.add(*lease)
    while model:
        start = data.draw(st.integers(0, 45))
        stop = start + data.draw(st.integers(1, 20))
        over = {who for a, b, who in model if a < stop and b > start}
        assert holders.of(start, stop) == sorted(over)
        assert holders.all() == sorted({who for _, _, who in model})
        assert holders.leases() == sorted(model)
        assert holders
        holders.remove(*model.pop(data.draw(st.integers(0, len(model) - 1))))
    assert not holders
    assert holders.of(0, 100) == []


def peer(session: int, role: str, agent: int) -> Peer:
    name = bytes((session,)) * 8
    answers = bytes((agent,)) * 8 if agent else b""
    return Peer(wire.Hello(3, name, role, "h", 1, answers, [], []), 0.0)


ROLES = st.sampled_from(["root", "worker", "worker", "worker", "agent", "observer"])
MOVES = st.tuples(st.integers(1, 8), st.sampled_from(["come", "lose", "go"]), st.integers(0, 3))


@settings(deadline=None)
@given(st.dictionaries(st.integers(1, 8), ROLES, min_size=8), st.lists(MOVES))
def test_peers_at_hand(roles: dict[int, str], moves: list[tuple[int, str, int]]) -> None:
    peers = Peers()
    for number, move, agent in moves:
        name = bytes((number,)) * 8
        if move == "come":
            peers[name] = peer(number, roles[number], agent)
        elif name in peers and move == "go":
            del peers[name]
        elif name in peers:
            peers.lose(peers[name], 1.0)
        every = list(peers.values())
        workers = [p for p in every if p.role == "worker"]
        assert list(peers.workers.values()) == workers
        assert list(peers.agents.values()) == [p for p in every if p.role == "agent"]
        assert list(peers.observers.values()) == [p for p in every if p.role == "observer"]
        assert set(peers.away) == {p.session for p in workers if not p.connected}
        assert peers.usable == sum(p.connected for p in workers)
        assert sorted(every, key=lambda p: p.place) == every
        for number in range(4):
            boss = bytes((number,)) * 8 if number else b""
            assert set(peers.of_agent(boss)) == {p for p in workers if p.agent == boss}
        alone = {p for p in workers if p.agent and p.agent not in peers}
        assert set(peers.unanswered_for()) == alone


RUNS = st.lists(
    st.tuples(
        st.sampled_from([HELD, QUEUED, LEASED, DONE]),
        st.one_of(st.integers(1, 5), st.sampled_from([255, 256, 257, 258, 2304, 2305, 9000])),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(RUNS, st.data())
def test_runs_of_one_state(runs: list[tuple[int, int]], data: st.DataObject) -> None:
    batch = batch_of(sum(length for _, length in runs))
    batch.state[:] = b"".join(bytes((state,)) * length for state, length in runs)
    start = data.draw(st.integers(0, batch.count - 1))
    stop = data.draw(st.integers(start, batch.count))
    found = list(batch.runs(start, stop))
    assert b"".join(bytes((state,)) * (b - a) for a, b, state in found) == batch.state[start:stop]
    assert [a for a, _, _ in found[1:]] == [b for _, b, _ in found[:-1]]
    assert all(one[2] != other[2] for one, other in pairwise(found))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 1000), st.floats(1e-7, 10.0))),
    st.integers(0, 100_000),
)
def test_no_span_is_longer_than_was_said(reports: list[tuple[int, int, float]], share: int) -> None:
    batch, costs = batch_of(200_000, 3), Costs()
    for number, tasks, seconds in reports:
        costs.report(batch.functions[number], tasks, seconds)
    most = costs.most(share)
    for number in range(3):
        batch.functions = [bytes((number,)) * 16]
        stop, _ = costs.span(batch, None, 0, batch.count, share)
        assert stop <= most
        assert costs.span(batch, None, 0, min(most, batch.count), share)[0] == stop
