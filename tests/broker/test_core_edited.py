"""Functions that were edited before a run is resumed: whose results count, and for how long."""

from __future__ import annotations

import pytest

from scoop_ft.broker.records import Edit, Kind
from scoop_ft.broker.tasks import DONE, HELD
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id, digest
from scoop_ft.wire import messages as wire

from .made_up import FUNCTION, packed_ends
from .peers import FakeRoot
from .rig import Rig, function

CALLS = ["leaf:a", "leaf:b", "leaf:c"]
NEW = digest(b"another code")
OTHER, OTHER_BLOB = function("other")


def edit(redo: bool, what: bytes = FUNCTION, code: bytes = NEW) -> Edit:
    return Edit(what, code, "3.11", redo, [])


def finished(*calls: str) -> Rig:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit(*(calls or CALLS))
    rig.settle()
    assert not root.missing()
    rig.ran.clear()
    return rig


def resume(rig: Rig, *edits: Edit) -> None:
    """All processes are new."""
    rig.journal.crash()
    rig.peers.clear()
    rig.start(resume=True, edits=edits)


def ask_again(rig: Rig, *calls: str) -> list[bytes]:
    """Run the script again; return the arguments of the tasks that were run for it."""
    rig.ran.clear()
    root = rig.root()
    if not any(peer.role == "worker" for peer in rig.peers.values()):
        rig.worker()
    root.submit(*(calls or CALLS))
    rig.settle()
    assert not root.missing()
    assert not root.wrong()
    return sorted(rig.ran)


def kinds(rig: Rig) -> list[int]:
    return [record.kind for _, record in rig.journal.scan()]


def test_results_that_are_kept_are_served() -> None:
    rig = finished()
    resume(rig, edit(redo=False))
    assert ask_again(rig) == []
    assert rig.broker.book.codes[FUNCTION].digest == NEW


def test_results_that_are_not_kept_are_computed_again_once() -> None:
    rig = finished()
    resume(rig, edit(redo=True))
    assert rig.stats["done"] == 0
    assert ask_again(rig) == [call.encode() for call in CALLS]
    assert rig.stats["done"] == rig.stats["submitted"] == len(CALLS)
    resume(rig)
    assert ask_again(rig) == []


def test_another_broker_of_the_same_resume_does_not_drop_what_is_new() -> None:
    rig = finished()
    resume(rig, edit(redo=True))
    ask_again(rig)
    rig.restart(edits=[edit(redo=True)])
    rig.tick(20)
    assert ask_again(rig) == []
    assert kinds(rig).count(Kind.EDIT) == 1


def test_a_broker_that_dies_before_the_edit_is_synced() -> None:
    rig = finished()
    rig.journal.crash()
    rig.peers.clear()
    broker = type(rig.broker)(rig.journal, "a-run", {})
    broker.recover(rig.journal.scan(), resume=True, now=rig.now, edits=[edit(redo=True)])
    resume(rig, edit(redo=True))  # what that one had appended was never committed
    assert ask_again(rig) == [call.encode() for call in CALLS]


def test_dropped_results_leave_the_journal() -> None:
    rig = finished()
    assert Kind.RESULTS in kinds(rig)
    resume(rig, edit(redo=True))
    rig.commit()
    assert Kind.RESULTS not in kinds(rig)
    resume(rig)
    assert ask_again(rig) == [call.encode() for call in CALLS]


def two_functions() -> Rig:
    """Four tasks of one batch, every other one of another function, all done."""
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    submit_both(rig)
    rig.settle()
    assert not root.missing()
    rig.ran.clear()
    return rig


def submit_both(rig: Rig) -> None:
    root = next(peer for peer in rig.peers.values() if peer.role == "root")
    root.define()
    root.keep(wire.Define(root.number(), OTHER, "other"), [OTHER_BLOB])
    arguments = [b"leaf:0", b"leaf:1", b"leaf:2", b"leaf:3"]
    root.arguments += arguments  # type: ignore[attr-defined]
    root.keep(
        wire.Submit(
            root.number(), batch_id(root.session, 9), ROOT_ID, ROOT_LINEAGE, 0, 4,
            [FUNCTION, OTHER], b"\0\0\1\0\0\0\1\0", packed_ends(arguments), [], [],
        ),
        [b"".join(arguments)],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "again"), [(FUNCTION, [b"leaf:0", b"leaf:2"]), (OTHER, [b"leaf:1", b"leaf:3"])]
)
def test_in_a_batch_of_two_functions_only_one_is_run_again(what: bytes, again: list[bytes]) -> None:
    rig = two_functions()
    resume(rig, edit(redo=True, what=what))
    rig.root()
    rig.worker()
    submit_both(rig)
    rig.settle()
    assert sorted(rig.ran) == again
    resume(rig)
    rig.root()
    rig.worker()
    rig.ran.clear()
    submit_both(rig)
    rig.settle()
    assert rig.ran == []


def test_a_parent_is_run_again_with_its_children() -> None:
    rig = finished("tree:2:x")
    resume(rig, edit(redo=True))
    assert ask_again(rig, "tree:2:x") == [b"leaf:x.0", b"leaf:x.1", b"tree:2:x"]


def test_what_was_done_moves_back_and_nothing_else_does() -> None:
    rig = finished()
    resume(rig, edit(redo=True, what=OTHER))  # which has no tasks
    (batch,) = rig.broker.book.batches.values()
    assert set(batch.state) == {DONE}
    resume(rig, edit(redo=True))
    (batch,) = rig.broker.book.batches.values()
    assert set(batch.state) == {HELD}
    assert batch.results == []


def test_a_worker_of_before_the_edit_is_not_let_in() -> None:
    """On another machine it outlived the launcher, and it still has the old code."""
    rig = finished()
    worker = next(peer for peer in rig.peers.values() if peer.role == "worker")
    resume(rig, edit(redo=True))
    rig.peers[worker.session] = worker
    for broker in ("this one", "the next"):
        worker.connect()
        rig.flush()
        worker.handle()
        assert worker.all_of(wire.Refused), broker
        worker.heard.clear()
        rig.restart(edits=[edit(redo=True)])


def test_the_first_bytes_of_a_function_count() -> None:
    rig = Rig()
    root = rig.root()
    root.define()
    root.keep(wire.Define(root.number(), FUNCTION, "f", NEW, "3.11"), [b"another pickle"])
    root.submit(*CALLS)
    worker = rig.worker()
    rig.settle()
    assert not root.missing()
    assert len(worker.all_of(wire.Function)) == 1
    assert kinds(rig).count(Kind.FUNCTION) == 1
    seq = rig.broker.book.functions[FUNCTION][0]
    with rig.journal.reading() as view:
        assert bytes(view.record(seq).payload) != b"another pickle"


def test_a_state_that_was_saved_on_the_way_does_not_count_either() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    root.submit("tree:2:x", "leaf:a")
    rig.dispatch()
    worker.handle()
    (task,) = (item.id for item in worker.queue if item.argument == b"tree:2:x")
    upto = b""
    worker.keep(
        wire.Checkpoint(worker.number(), task, 0, 0, 0, [], upto, [], False, []), [b"half of it"]
    )
    rig.settle(work=False)
    assert task in rig.broker.book.kept
    assert Kind.CHECKPOINT in kinds(rig)
    resume(rig, edit(redo=False, code=digest(b"one edit")))
    assert task in rig.broker.book.kept
    resume(rig, edit(redo=True))
    assert not rig.broker.book.kept
    rig.commit()
    assert Kind.CHECKPOINT not in kinds(rig)
    assert ask_again(rig, "tree:2:x", "leaf:a")[-1] == b"tree:2:x"


def define_anew(rig: Rig, root: FakeRoot, code: bytes) -> None:
    """The program that has joined says its function, as it is now."""
    blob = b"pickle"
    root.keep(wire.Define(root.number(), FUNCTION, "f", code, "3.11", []), [blob])
    root.defined = True
    rig.flush()


@pytest.mark.parametrize("served", [True, False])
def test_a_program_that_joins_with_an_edited_function_gets_nothing_stale(served: bool) -> None:
    """Nobody asks it; where a launcher has asked, what it was told holds."""
    rig = Rig()
    root = rig.root()
    define_anew(rig, root, digest(b"the code"))
    rig.worker()
    root.submit(*CALLS)
    rig.settle()
    resume(rig)
    if served:
        rig.broker.settings["script"] = ""
    rig.ran.clear()
    root = rig.root()
    rig.worker()
    define_anew(rig, root, NEW)
    root.submit(*CALLS)
    rig.settle()
    assert not root.missing()
    assert len(rig.ran) == (3 if served else 0)
    rig.ran.clear()
    rig.restart()
    assert ask_again(rig) == [], "it is recorded, with its new code"
