"""Hypothesis plays fate: one root, several workers, and whatever can happen to each of them.

After every message the whole state is checked (`scoop_ft.broker.invariants`); no result is ever
wrong; and at the end, when all faults are over, everything that was submitted gets its result.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from scoop_ft.broker import figures, timing
from scoop_ft.broker.tasks import DONE, LEASED
from scoop_ft.ids import ROOT_ID
from scoop_ft.wire import messages as wire

from .made_up import children, expected
from .peers import FakeAgent, FakeRoot, FakeWorker
from .rig import Rig

MOST_WORKERS = 4
MORE = int(os.environ.get("SCOOP_FT_FATES", "0"))  # so many, others each time: to look for more
CALLS = ["leaf:a", "leaf:b", "leaf:b", "tree:2:c", "tree:3:d", "deep:2:e"]
calls = st.lists(st.sampled_from(CALLS), min_size=1, max_size=4)
which = st.integers(0, 7)
flows = st.tuples(st.integers(0, 5), st.integers(1, 15), st.booleans())


class Fate(RuleBasedStateMachine):
    """What the rules do is what can happen; which of it happens when is Hypothesis's choice."""

    ends = frozenset({wire.Status.OK, wire.Status.CANCELLED})
    subtree = False  # what is cancelled is given up when it runs, too

    @initialize(script=st.lists(st.sampled_from(CALLS), min_size=6, max_size=20))
    def begin(self, script: list[str]) -> None:
        self.rig = Rig(max_attempts=1_000)
        self.rig.options_of = self.options_of
        self.root: FakeRoot = self.rig.root()
        self.agent: FakeAgent = self.rig.agent()
        self.unreported: list[tuple[FakeWorker, bytes]] = []
        self.script = [call.encode() for call in script]  # what the root submits, sooner or later
        self.rig.worker(self.agent)
        self.rig.worker(self.agent)
        self.submit([])

    def options_of(self, first: int) -> wire.Options:
        """Return the options of the root's batch that begins with this ordinal."""
        return wire.PLAIN

    # ---- who there is ----------------------------------------------------------------------

    def workers(self) -> list[FakeWorker]:
        return [peer for peer in self.rig.peers.values() if isinstance(peer, FakeWorker)]

    def a_worker(self, number: int) -> FakeWorker | None:
        workers = self.workers()
        return workers[number % len(workers)] if workers else None

    # ---- the script ------------------------------------------------------------------------

    @rule(new=calls)
    def submit(self, new: list[str]) -> None:
        """The script goes on: it repeats itself first, then there is something new."""
        begin = len(self.root.arguments)
        if begin == len(self.script) and begin < 25:
            self.script += [call.encode() for call in new]
        again = self.script[begin : begin + 4]
        if again:
            self.root.submit(*again)
        self.rig.dispatch()

    @rule(flow=flows, ordinal=st.integers(0, 24), call=st.sampled_from(CALLS), seed=which)
    def root_dies(self, flow: tuple[int, int, bool], ordinal: int, call: str, seed: int) -> None:
        """A new root repeats the script: as it was, with one call changed, or in another order."""
        self.all_goes_well(flow)
        if seed == 0 and self.script:
            self.script[ordinal % len(self.script)] = call.encode()
        elif seed == 1:
            self.script[:6] = self.script[:6][::-1]
        elif seed == 2 and len(self.script) > 6:
            del self.script[ordinal % len(self.script)]
        self.root = self.rig.root()
        self.submit([])

    @rule(flow=flows)
    def root_reconnects(self, flow: tuple[int, int, bool]) -> None:
        self.all_goes_well(flow)
        self.rig.cut(self.root)
        self.root.connect()

    @rule(ordinal=st.integers(0, 24))
    def cancel(self, ordinal: int) -> None:
        if ordinal < len(self.root.arguments) and ordinal not in self.root.results:
            self.root.cancel(ordinal, subtree=self.subtree)

    @rule(limit=st.integers(1, 5))
    def root_hears(self, limit: int) -> None:
        self.root.handle(limit)
        self.check_results()

    # ---- workers ---------------------------------------------------------------------------

    @precondition(lambda self: len(self.workers()) < MOST_WORKERS)
    @rule(flow=flows, claims=st.booleans())
    def worker_joins(self, flow: tuple[int, int, bool], claims: bool) -> None:
        self.all_goes_well(flow)
        self.rig.worker(self.agent).claims = claims

    @rule(number=which, limit=st.integers(1, 4))
    def worker_hears(self, number: int, limit: int) -> None:
        worker = self.a_worker(number)
        if worker is not None and worker.awake:
            worker.handle(limit)
            worker.rest()

    @rule(number=which)
    def worker_works(self, number: int) -> None:
        worker = self.a_worker(number)
        if worker is not None and worker.awake and worker.queue:
            worker.step()
            worker.rest()

    @rule(flow=flows)
    def all_goes_well(self, flow: tuple[int, int, bool]) -> None:
        """For a while nothing happens but work, by some of the workers."""
        rounds, busy, commit = flow
        for _ in range(rounds):
            self.rig.dispatch()
            for number, worker in enumerate(self.workers()):
                if worker.awake and worker.connected and busy >> number & 1:
                    worker.handle()
                    if worker.queue:
                        worker.step()
                    worker.rest()
        self.root.handle()
        self.check_results()
        if commit:
            self.rig.commit()

    @rule(flow=flows, number=which, told=st.booleans(), blamed=st.booleans())
    def worker_dies(
        self, flow: tuple[int, int, bool], number: int, told: bool, blamed: bool
    ) -> None:
        """Its agent says so at once, or later; the task that ran is known, or nothing ran."""
        self.all_goes_well(flow)
        worker = self.a_worker(number)
        if worker is None:
            return
        held = worker.holding()
        task = held[0][0] + held[0][1].to_bytes(4, "big") if blamed and held else b""
        self.rig.vanish(worker)
        if told:
            self.agent.gone(worker, task=task)
        else:
            self.unreported.append((worker, task))

    @rule()
    def agent_reports(self) -> None:
        for worker, task in self.unreported:
            self.agent.gone(worker, task=task)
        self.unreported.clear()
        self.heartbeat()

    def heartbeat(self) -> None:
        self.agent.heartbeat(
            {w: ("busy" if w.awake else "stopped", self.running(w)) for w in self.workers()}
        )
        self.agent.handle()

    @staticmethod
    def running(worker: FakeWorker) -> bytes:
        return next(iter(worker.scopes), b"")

    @rule(flow=flows, number=which)
    def worker_stops(self, flow: tuple[int, int, bool], number: int) -> None:
        self.all_goes_well(flow)
        worker = self.a_worker(number)
        if worker is not None:
            worker.awake = False
            self.heartbeat()

    @rule(number=which)
    def worker_continues(self, number: int) -> None:
        worker = self.a_worker(number)
        if worker is not None and not worker.awake:
            worker.awake = True
            self.heartbeat()

    @rule(flow=flows, number=which, seen=st.booleans())
    def worker_is_cut_off(self, flow: tuple[int, int, bool], number: int, seen: bool) -> None:
        self.all_goes_well(flow)
        worker = self.a_worker(number)
        if worker is not None:
            if seen:
                self.rig.cut(worker)
            else:
                worker.disconnected()

    @rule(number=which)
    def worker_reconnects(self, number: int) -> None:
        worker = self.a_worker(number)
        if worker is not None and worker.awake:
            worker.connect()

    @rule(flow=flows, number=which)
    def worker_leaves(self, flow: tuple[int, int, bool], number: int) -> None:
        self.all_goes_well(flow)
        worker = self.a_worker(number)
        if worker is not None and worker.welcomed and not worker.scopes:
            worker.leave()
            self.rig.vanish(worker)
            self.agent.gone(worker, signal=0)

    # ---- the broker ------------------------------------------------------------------------

    @rule()
    def dispatch(self) -> None:
        self.rig.dispatch()

    @rule()
    def commit(self) -> None:
        self.rig.commit()

    @rule(flow=flows, resume=st.integers(0, 3))
    def broker_dies(self, flow: tuple[int, int, bool], resume: int) -> None:
        """It comes back on what was committed; with ``resume``, nobody else of before lives."""
        self.all_goes_well(flow)
        if resume == 0:
            self.rig.peers.clear()
            self.unreported.clear()
            self.rig.restart(resume=True)
            self.root, self.agent = self.rig.root(), self.rig.agent()
            return
        if resume == 1:
            self.rig.dispatch()
            self.rig.commit()  # and nobody hears of it
        self.rig.restart()
        self.agent.connect()
        self.rig.flush()
        self.agent.handle()

    @rule(flow=flows, order=st.randoms(use_true_random=False))
    def all_reconnect(self, flow: tuple[int, int, bool], order: Any) -> None:
        self.all_goes_well(flow)
        peers = [peer for peer in self.rig.peers.values() if peer.awake and not peer.connected]
        order.shuffle(peers)
        for peer in peers:
            peer.connect()
            self.rig.flush()
            peer.handle()

    @rule(flow=flows, seconds=st.sampled_from([0.02, 0.5, 3.0, 6.0]))
    def time_passes(self, flow: tuple[int, int, bool], seconds: float) -> None:
        self.all_goes_well(flow)
        self.rig.tick(seconds)

    # ---- what must be so -------------------------------------------------------------------

    def check_results(self) -> None:
        assert not self.root.wrong()
        for scope in (s for worker in self.workers() for s in worker.scopes.values()):
            for ordinal, payload in scope.results.items():
                assert payload == expected(scope.arguments[ordinal])

    def teardown(self) -> None:
        """All faults are over: everything gets its result."""
        if not hasattr(self, "rig"):
            return
        rig = self.rig
        while len(self.root.arguments) < len(self.script):
            self.submit([])
        self.agent_reports()
        for peer in list(rig.peers.values()):
            peer.awake = True
            if not peer.connected:
                peer.connect()
        rig.worker(self.agent)
        for _ in range(20):
            rig.settle()
            self.heartbeat()
            rig.tick(timing.GRACE_S + 0.1)
            if not self.root.missing():
                break
        rig.settle()
        self.check_results()
        assert not self.root.missing(), self.why()
        assert not self.root.kept
        assert {status for status, _ in self.root.results.values()} <= self.ends
        self.check_leftovers()

    def check_leftovers(self) -> None:
        """Nothing is left of what was done: no lease, no family but the root's."""
        broker = self.rig.broker
        live = {task for worker in self.workers() for task in worker.scopes}
        for parent in broker.book.families:
            found = None if parent == ROOT_ID else broker.book.task(parent)
            ended = found is not None and found[0].state[found[1]] in (DONE, LEASED)
            assert not ended or parent in live

    def why(self) -> dict[str, Any]:
        missing = {o: self.root.arguments[o] for o in self.root.missing()}
        return {"missing": missing, **figures.stats(self.rig.broker)}


def test_arguments_say_what_comes_out() -> None:
    assert children(b"deep:2:e") == [b"tree:2:e.0", b"tree:2:e.1"]
    assert expected(b"tree:2:c") == b"([leaf:c.0],[leaf:c.1])"


TestFate = Fate.TestCase
TestFate.settings = settings(
    max_examples=MORE or 150,
    derandomize=not MORE,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
