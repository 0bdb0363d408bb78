"""Fate once more, for calls with options: nothing is lost, out of place, or begun twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from scoop_ft.broker.lanes import has
from scoop_ft.ids import ROOT_ID
from scoop_ft.wire import messages as wire
from scoop_ft.wire.messages import PLAIN, Options

from .peers import FakeWorker
from .test_core_machine import CALLS, MORE, Fate

MENU = [
    PLAIN,
    Options(priority=3),
    Options(priority=-3),
    Options(resources={"gpu": 1}),
    Options(resources={"gpu": 1}, priority=3, attempts=2_000),
    Options(resources={"gpu": 2}, priority=-3),
    Options(time_limit_s=60.0, attempts=2_000),
]
scripts = st.lists(st.sampled_from(CALLS), min_size=6, max_size=20)


class OptionedFate(Fate):
    """Each batch has options of its own, others when it is submitted again."""

    subtree = True

    @initialize(script=scripts, menu=st.lists(st.sampled_from(MENU), min_size=5, max_size=5))
    def begin(self, script: list[str], menu: list[Options]) -> None:  # type: ignore[override]
        self.menu = menu
        super().begin(script)
        self.rig.worker(self.agent, gpu=2)

    def options_of(self, first: int) -> Options:
        return self.menu[(first // 4 + self.rig.sessions) % len(self.menu)]

    @rule(gpu=st.integers(0, 2))
    def another_worker_joins(self, gpu: int) -> None:
        if len(self.workers()) < 5:
            self.rig.worker(self.agent, **({"gpu": gpu} if gpu else {}))

    def check_results(self) -> None:
        super().check_results()
        for worker in self.workers():
            for item in worker.queue:
                if item.scope is None:
                    self.check_place(worker, item.batch, item.index)

    def check_place(self, worker: FakeWorker, name: bytes, index: int) -> None:
        """What a worker was given, and holds, it has what is needed for, unless that is new."""
        batch = self.rig.broker.book.batches.get(name)
        peer = self.rig.broker.peers.get(worker.session)
        if batch is None or peer is None or batch.changed or not peer.holds(batch, index):
            return
        needs = tuple(batch.options.resources.items())
        assert not batch.special or has(worker.resources, needs) or self.rig.sessions > 4

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            self.rig.worker(self.agent, gpu=2)
        super().teardown()


class OnceFate(Fate):
    """None of the root's calls may be repeated; its broker lives."""

    ends = frozenset({wire.Status.OK, wire.Status.CANCELLED, wire.Status.LOST})

    def options_of(self, first: int) -> Options:
        return Options(repeatable=False)

    def broker_dies(self, flow: Any, resume: int) -> None:
        """Not here: what only a worker that cannot answer knows may be begun again then."""

    def check_results(self) -> None:
        super().check_results()
        of_root = {
            batch.id for batch in self.rig.broker.book.batches.values() if batch.parent == ROOT_ID
        }
        begun = Counter(task for task in self.rig.begun if task[:16] in of_root)
        assert not [task for task, times in begun.items() if times > 1]


TestOptionedFate = OptionedFate.TestCase
TestOnceFate = OnceFate.TestCase
TestOptionedFate.settings = TestOnceFate.settings = settings(
    max_examples=MORE or 60,
    derandomize=not MORE,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
