"""Functions that nothing calls any more leave the journal, and whoever calls one sends it again."""

from __future__ import annotations

import pytest

from scoop_ft.broker import functions
from scoop_ft.broker.records import Kind
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id
from scoop_ft.wire import messages as wire

from .made_up import FUNCTION, packed_ends
from .rig import Rig, function, taken
from .test_core_kept import checkpoint
from .test_leaving import kinds, same_after_restart


def test_a_function_that_nothing_calls_leaves_when_the_run_is_resumed() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a")
    digest, blob = function("unused")
    root.keep(wire.Define(root.number(), digest, "unused"), [blob])
    assert kinds(rig)[Kind.FUNCTION] == 2
    rig.restart()
    assert kinds(rig)[Kind.FUNCTION] == 2
    rig.restart(resume=True)
    assert kinds(rig)[Kind.FUNCTION] == 1
    assert set(rig.broker.book.functions) == {FUNCTION}
    same_after_restart(rig)


def test_who_has_outlived_a_resume_and_calls_a_forgotten_function_begins_again() -> None:
    rig = Rig()
    rig.root().submit("tree:1:x")
    worker = rig.worker()
    taken(rig, worker, 1)
    item = worker.queue[0]
    digest, blob = function("forgotten")
    worker.keep(wire.Define(worker.number(), digest, "forgotten"), [blob])
    rig.commit()
    worker.handle()
    name = batch_id(worker.session, 99)
    submit = wire.Submit(
        worker.number(), name, item.id, item.place, 0, 1, [digest], b"", packed_ends([b"leaf:x.0"]),
        [], [],
    )  # fmt: skip
    worker.disconnected()
    rig.restart(resume=True)
    rig.root().submit("tree:1:x")
    worker.connect()
    rig.flush()
    worker.handle()
    rig.say(worker.session, submit, [b"leaf:x.0"])
    rig.flush()
    worker.handle()
    (drop,) = [m for m in worker.heard if type(m) is wire.Drop and not m.recall]
    assert drop.spans == [(item.batch, item.index, item.index + 1)]
    worker.queue.clear()
    other = rig.worker()
    rig.settle()
    assert other.runs > 0
    assert [status for status, _ in rig.peers[rig.broker.root].results.values()] == [0]


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions have captured something, as small as they are."""
    monkeypatch.setattr(functions, "SMALL_BYTES", 0)


@pytest.mark.usefixtures("captures")
def test_a_function_that_nothing_calls_leaves_when_the_script_has_saved_its_state() -> None:
    """A function that has captured something is another one in each generation."""
    rig = Rig()
    root = rig.root()
    worker = rig.worker()
    for generation in range(3):
        root.submit("leaf:a")
        rig.settle()
        assert kinds(rig)[Kind.FUNCTION] == 1
        assert FUNCTION in rig.broker.peers[worker.session].functions
        checkpoint(root, ROOT_ID, generation, generation + 1)
        rig.settle()
        assert kinds(rig)[Kind.FUNCTION] == 0
        assert [m.functions for m in worker.all_of(wire.Forget)] == [[FUNCTION]] * (generation + 1)
        assert FUNCTION not in rig.broker.peers[worker.session].functions
    assert [status for status, _ in root.results.values()] == [0, 0, 0]
    same_after_restart(rig)


def test_functions_that_travel_by_name_stay_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The saved state was made with them: if they are edited that is said before a resume."""
    monkeypatch.setattr(functions, "SPARE", 4)
    rig = Rig()
    root = rig.root()
    worker = rig.worker()
    for generation in range(9):
        root.submit("leaf:a")
        other, blob = function(f"other{generation}")
        root.keep(wire.Define(root.number(), other, "other"), [blob])
        rig.settle()
        checkpoint(root, ROOT_ID, generation, generation + 1)
        rig.settle()
        assert FUNCTION in rig.broker.book.functions
        assert rig.broker.costs.of(FUNCTION) != rig.broker.costs.of(other), "it is known"
        assert FUNCTION in rig.broker.peers[worker.session].functions
        assert kinds(rig)[Kind.FUNCTION] == min(generation + 2, 4)
    same_after_restart(rig)


@pytest.mark.usefixtures("captures")
def test_a_function_that_a_worker_has_sent_or_a_call_waits_for_stays() -> None:
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a")
    rig.worker()
    rig.settle()
    other, blob = function("other")
    root.keep(wire.Define(root.number(), other, "other"), [blob])
    name = batch_id(root.session, 99)
    root.keep(
        wire.Submit(
            root.number(), name, ROOT_ID, ROOT_LINEAGE, 1, 1, [other], b"",
            packed_ends([b"leaf:b"]), [], [],
        ),
        [b"leaf:b"],
    )  # fmt: skip
    busy = rig.worker()
    busy.define()
    checkpoint(root, ROOT_ID, 0, 1)
    rig.commit()
    assert set(rig.broker.book.functions) == {FUNCTION, other}


@pytest.mark.usefixtures("captures")
def test_a_batch_of_a_forgotten_function_that_is_said_again_is_no_nonsense() -> None:
    rig = Rig()
    root = rig.root()
    rig.worker()
    root.submit("leaf:a")
    again = root.kept[-1]
    rig.settle()
    checkpoint(root, ROOT_ID, 0, 1)
    rig.settle()
    assert not rig.broker.book.functions
    rig.say(root.session, again[1], again[2])
    rig.settle()
    assert not root.all_of(wire.Refused)
    assert rig.broker.book.submitted == 1
