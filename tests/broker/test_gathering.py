"""Results that came one by one are one record once their batch has ended."""

from __future__ import annotations

from scoop_ft.broker.records import Kind
from scoop_ft.broker.tasks import DONE, FAILED
from scoop_ft.ids import batch_id
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_header

from .made_up import expected
from .rig import Rig, taken


def records_of_results(rig: Rig) -> list[wire.Results]:
    """Return the headers of what the journal holds of results."""
    return [
        decode_header(record.header, wire.Results)
        for _, record in rig.journal.scan()
        if record.kind == Kind.RESULTS
    ]


def run_one_by_one(rig: Rig, tasks: int) -> list[bytes]:
    """Run a batch whose tasks end in another order, each in a message of its own."""
    arguments = [f"leaf:{number}".encode() for number in range(tasks)]
    root, worker = rig.root(), rig.worker()
    root.submit(*arguments)
    taken(rig, worker, tasks)
    worker.queue.reverse()
    rig.settle()
    assert not root.missing()
    return arguments


def test_what_came_one_by_one_is_one_record_when_all_has_ended() -> None:
    rig = Rig(gather_from=4)
    run_one_by_one(rig, 6)
    rig.commit()
    (m,) = records_of_results(rig)
    assert (m.ranges, m.timed) == ([(0, 6)], 6)
    assert rig.stats["done"] == 6


def test_nothing_is_gathered_before_the_last_task_has_ended() -> None:
    rig = Rig(gather_from=4)
    root, worker = rig.root(), rig.worker()
    root.submit(*(f"leaf:{number}" for number in range(8)))
    taken(rig, worker, 8)
    for _ in range(7):
        worker.step()
    rig.settle(work=False)
    rig.commit()
    assert len(records_of_results(rig)) == 7


def test_few_records_are_left_as_they_are() -> None:
    rig = Rig(gather_from=7)
    run_one_by_one(rig, 6)
    rig.commit()
    assert len(records_of_results(rig)) == 6


def test_a_root_that_is_run_again_gets_each_gathered_result() -> None:
    rig = Rig(gather_from=4)
    arguments = run_one_by_one(rig, 6)
    rig.commit()
    rig.restart(resume=True)
    root = rig.root()
    root.submit(*arguments[:2])
    root.submit(*arguments[2:])
    rig.settle()
    assert {o: p for o, (_, p) in root.results.items()} == {
        number: expected(argument) for number, argument in enumerate(arguments)
    }
    assert sorted(rig.ran) == sorted(arguments), "nothing was run again"


def test_a_broker_that_dies_before_the_commit_has_the_records_of_before() -> None:
    rig = Rig(gather_from=4)
    root, worker = rig.root(), rig.worker()
    root.submit(*(f"leaf:{number}" for number in range(6)))
    taken(rig, worker, 6)
    for _ in range(5):
        worker.step()
    rig.settle(work=False)
    rig.commit()
    worker.step()
    rig.settle(work=False)
    rig.restart()
    rig.settle()
    assert not root.missing()
    rig.commit()
    (m,) = records_of_results(rig)
    assert m.ranges == [(0, 6)]
    rig.check()


def test_what_failed_keeps_its_record_and_the_others_are_gathered() -> None:
    rig = Rig(gather_from=4)
    root, worker = rig.root(), rig.worker()
    root.submit(*(f"leaf:{number}" for number in range(7)))
    taken(rig, worker, 7)
    batch = batch_id(root.session, 1)
    text = b"why"
    failed = wire.Results(
        worker.number(), batch, [(3, 4)], bytes((wire.Status.RAISED,)),
        len(text).to_bytes(4, "little"), [], 0, 0, False,
    )  # fmt: skip
    worker.keep(failed, [text])
    worker.queue = type(worker.queue)(item for item in worker.queue if item.index != 3)
    rig.settle()
    rig.commit()
    assert sorted(m.ranges for m in records_of_results(rig)) == [[(0, 3), (4, 7)], [(3, 4)]]
    states = rig.broker.book.batches[batch].state
    assert [states.count(DONE), states.count(FAILED)] == [6, 1]
    rig.restart(resume=True)
    assert rig.stats["done"] == 6
    rig.check()
