"""Which calls of a parent that is run again are not those that are recorded, counted exactly.

Whatever is counted live follows from the journal alone: each test compares both.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from scoop_ft.broker import departures, figures, from_journal, timing
from scoop_ft.broker.book import Book
from scoop_ft.broker.records import Kind
from scoop_ft.ids import ROOT_ID

from .made_up import expected
from .peers import FakeRoot, FakeWorker
from .rig import Rig, taken

CALLS = [f"leaf:{number}" for number in range(12)]


def recorded(*calls: str) -> Rig:
    """Return a run whose root submitted this, and whose launcher died with all results there."""
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit(*calls)
    rig.settle()
    assert not root.missing()
    return resumed(rig)


def resumed(rig: Rig) -> Rig:
    rig.peers.clear()
    rig.restart(resume=True)
    rig.worker()
    rig.ran.clear()
    return rig


def report(rig: Rig) -> dict[str, Any]:
    """Return what is said of departures, checked against what the journal alone says."""
    rig.settle()
    book = Book()
    for seq, record in rig.journal.scan():
        from_journal.apply(book, seq, record)
    said = {key: figures.stats(rig.broker)[key] for key in ("mismatches", "divergences")}
    assert departures.report(book) == said
    return said


def places(rig: Rig) -> list[tuple[str, int, str, str]]:
    return [(d["task"], d["ordinal"], d["old"], d["new"]) for d in report(rig)["divergences"]]


def test_a_first_run_departs_from_nothing() -> None:
    rig = Rig()
    root, _worker = rig.root(), rig.worker()
    root.submit(*CALLS)
    assert report(rig) == {"mismatches": 0, "divergences": []}


def test_another_call_at_an_ordinal_is_named() -> None:
    rig = recorded(*CALLS)
    rig.root().submit(*CALLS[:4], "leaf:x", *CALLS[5:])
    assert report(rig)["mismatches"] == 1
    assert places(rig) == [("5", 4, "5~1", "5")]
    (one,) = report(rig)["divergences"]
    assert (one["parent"], one["function_old"], one["function_new"]) == ("", "f", "f")


def test_it_counts_only_until_the_recorded_call_is_asked_for() -> None:
    """As in a program that submits in completion order: its new calls may come first."""
    rig = recorded("leaf:a", "leaf:b", "leaf:c")
    root = rig.root()
    root.submit("leaf:new")
    assert report(rig)["mismatches"] == 1
    root.submit("leaf:b")
    root.submit("leaf:a")
    assert report(rig)["mismatches"] == 1  # it has not asked for the third one yet
    root.submit("leaf:c")
    assert report(rig) == {"mismatches": 0, "divergences": []}
    assert rig.ran == [b"leaf:new"]


def test_a_lost_call_is_counted_though_others_have_moved() -> None:
    rig = recorded("leaf:a", "leaf:b", "leaf:c")
    root = rig.root()
    for call in ("leaf:x", "leaf:a", "leaf:c"):
        root.submit(call)
    assert report(rig)["mismatches"] == 1
    assert [(d[0], d[2]) for d in places(rig)] == [("1", "2~1")]


@pytest.mark.parametrize("seed", range(10))
def test_any_order_with_new_calls_in_between_ends_with_none(seed: int) -> None:
    draw = random.Random(seed)
    rig = recorded(*CALLS)
    calls = [*CALLS, *(f"leaf:new.{k}" for k in range(6))]
    draw.shuffle(calls)
    root = rig.root()
    while calls:
        size = draw.randint(1, 4)
        root.submit(*calls[:size])
        del calls[:size]
        rig.settle()
    assert report(rig)["mismatches"] == 0
    assert len(rig.ran) == 6


@pytest.mark.parametrize("seed", range(10))
def test_each_lost_call_beside_a_new_one_is_counted_whatever_the_order(seed: int) -> None:
    draw = random.Random(seed)
    rig = recorded(*CALLS)
    calls = [*CALLS[3:], "leaf:x", "leaf:y", "leaf:z"]
    draw.shuffle(calls)
    root = rig.root()
    for call in calls:
        root.submit(call)
    said = report(rig)
    assert said["mismatches"] == len(said["divergences"]) == 3
    assert len({d["old"] for d in said["divergences"]}) == 3
    assert len({d["new"] for d in said["divergences"]}) == 3


def test_more_calls_than_before_are_no_departure() -> None:
    rig = recorded(*CALLS)
    rig.root().submit(*CALLS, "leaf:more")
    assert report(rig)["mismatches"] == 0


def test_the_next_run_begins_anew() -> None:
    rig = recorded("leaf:a", "leaf:b")
    rig.root().submit("leaf:x", "leaf:b")
    assert report(rig)["mismatches"] == 1
    resumed(rig)
    assert figures.mismatches(rig.broker) == 0
    root = rig.root()
    root.submit("leaf:x", "leaf:b")
    root.submit("leaf:c")
    assert report(rig)["mismatches"] == 0
    resumed(rig).root().submit("leaf:y", "leaf:b", "leaf:c")
    assert places(rig) == [("1", 0, "1~2", "1")]


def test_a_broker_that_is_restarted_has_not_forgotten() -> None:
    rig = recorded(*CALLS)
    root = rig.root()
    root.submit("leaf:x", *CALLS[1:])
    before = report(rig)
    rig.restart()
    root.connect()
    assert report(rig) == before
    assert before["mismatches"] == 1


def test_only_the_first_ones_are_named() -> None:
    rig = recorded(*(f"leaf:{k}" for k in range(30)))
    rig.root().submit(*(f"leaf:other.{k}" for k in range(30)))
    said = report(rig)
    assert said["mismatches"] == 30
    assert [d["ordinal"] for d in said["divergences"]] == list(range(departures.SHOWN))


def test_a_parent_in_a_worker() -> None:
    """It is run again and asks for another second child."""
    rig = Rig()
    root, first, agent = rig.root(), rig.worker(), rig.agent()
    root.submit("tree:3:a")
    rig.dispatch()
    first.handle()
    first.step()  # the parent waits
    first.step()  # one child is done
    rig.commit()
    rig.vanish(first)
    agent.gone(first)
    second = rig.worker()
    rig.dispatch()
    second.handle()
    (item,) = [item for item in second.queue if item.argument == b"tree:3:a"]
    calls = [b"leaf:a.0", b"leaf:z", b"leaf:a.2"]
    second.submit_batch(item.id, item.place, 0, calls)
    rig.commit()
    assert figures.mismatches(rig.broker) == 1
    (one,) = figures.stats(rig.broker)["divergences"]
    assert (one["task"], one["parent"], one["parent_function"]) == ("1.2", "1", "f")


# ---- --on-divergence error ------------------------------------------------------------------


def strict(*calls: str, ordered: bool = True) -> tuple[Rig, FakeRoot]:
    rig = recorded(*calls)
    rig.broker.on_divergence = "error"
    root = rig.root()
    root.ordered = ordered
    return rig, root


def records(rig: Rig, *kinds: Kind) -> int:
    return sum(record.kind in kinds for _, record in rig.journal.scan())


def test_a_parent_in_order_is_stopped_at_its_first_other_call() -> None:
    rig, root = strict(*CALLS)
    before = records(rig, Kind.BATCH, Kind.BIND)
    root.submit(*CALLS[:4])
    root.submit(*CALLS[4:6], "leaf:x", *CALLS[7:])
    root.submit("leaf:more")
    rig.settle()
    assert root.stopped == rig.broker.diverged
    assert "the script departs" in root.stopped
    assert "task 7, its ordinal 6, f," in root.stopped
    assert f"scoop-ft explain {rig.broker.run} 7" in root.stopped
    assert records(rig, Kind.BATCH, Kind.BIND) == before, "nothing of it is recorded"
    assert rig.ran == []
    ((_, kept),) = rig.broker.book.strays
    assert (kept.count, kept.task, kept.ordinal) == (0, "7", 6)
    assert len(root.kept) == 2, "it was not acknowledged"
    root.end()
    rig.settle()
    assert rig.broker.book.exit_code is None


def test_what_was_stopped_goes_on_when_it_is_told_to() -> None:
    rig, root = strict(*CALLS)
    root.submit("leaf:x", *CALLS[1:])
    rig.settle()
    resumed(rig)
    assert figures.stats(rig.broker)["divergences"] == []
    again = rig.root()
    again.submit("leaf:x", *CALLS[1:])
    rig.settle()
    assert records(rig, Kind.DEPARTED) == 0
    assert figures.mismatches(rig.broker) == 1
    assert not again.missing()


def test_a_root_that_comes_back_is_told_again() -> None:
    rig, root = strict(*CALLS)
    root.submit("leaf:x", *CALLS[1:])
    rig.settle()
    rig.cut(root)
    root.stopped = ""
    root.connect()
    rig.settle()
    assert root.stopped == rig.broker.diverged


def test_a_parent_in_order_may_ask_for_more_and_for_less() -> None:
    for calls in ([*CALLS, "leaf:more"], CALLS[:5]):
        rig, root = strict(*CALLS)
        root.submit(*calls)
        root.end()
        rig.settle()
        assert (rig.broker.diverged, rig.broker.book.exit_code) == ("", 0)


def test_another_parent_may_still_ask_for_what_is_recorded() -> None:
    rig, root = strict("leaf:a", "leaf:b", ordered=False)
    root.submit("leaf:new")
    root.submit("leaf:b")
    root.submit("leaf:a")
    root.end()
    rig.settle()
    assert (rig.broker.diverged, rig.broker.book.exit_code) == ("", 0)


def test_another_parent_is_stopped_at_its_end() -> None:
    rig, root = strict("leaf:a", "leaf:b", ordered=False)
    root.submit("leaf:new")
    root.submit("leaf:b")
    rig.settle()
    assert rig.ran == [b"leaf:new"]
    assert rig.broker.diverged == ""
    root.end()
    rig.settle()
    assert "task 1, its ordinal 0, f," in root.stopped
    assert rig.broker.book.exit_code is None


def departed_tree(policy: str) -> tuple[Rig, FakeRoot]:
    """A parent that has two children recorded is run again and asks for two others, to its end."""
    rig = Rig()
    root, first = rig.root(), rig.worker()
    first.claims = False
    root.submit("tree:2:a")
    rig.dispatch()
    first.handle()
    first.step()
    rig.commit()
    resumed(rig)
    rig.broker.on_divergence = policy
    again = rig.root()
    again.submit("tree:2:a")
    rig.dispatch()
    worker = next(p for p in rig.peers.values() if isinstance(p, FakeWorker))
    worker.handle()
    (item,) = worker.queue
    worker.queue.clear()
    worker.submit_batch(item.id, item.place, 0, [b"leaf:x", b"leaf:y"])
    rig.commit()
    worker.finish(item, expected(item.argument))
    rig.commit()
    root.handle()
    again.handle()
    return rig, again


def test_departures_of_a_parent_that_has_ended_are_kept() -> None:
    rig, root = departed_tree("recompute")
    assert root.results == {0: (0, expected(b"tree:2:a"))}
    assert ROOT_ID in rig.broker.book.families
    said = report(rig)
    assert said["mismatches"] == 2
    (first,) = said["divergences"]
    assert (first["task"], first["parent"], first["ordinal"]) == ("1.1", "1", 0)
    ((seq, kept),) = rig.broker.book.strays
    with rig.journal.reading() as view:
        payload = bytes(view.record(seq).payload)
    assert (payload[: kept.old_bytes], payload[kept.old_bytes :]) == (b"leaf:a.0", b"leaf:x")
    resumed(rig)
    assert report(rig) == {"mismatches": 0, "divergences": []}


def test_a_parent_in_a_worker_stops_the_run_at_its_end() -> None:
    rig, root = departed_tree("error")
    assert root.results == {}
    assert "task 1 departs" in root.stopped
    assert rig.broker.book.finished == 0


def test_what_an_older_attempt_has_told_nobody_is_not_said_to_be_left_out() -> None:
    """Its worker was deaf, and comes to a restarted broker before the one that has the task now."""
    rig = Rig()
    root, first = rig.root(), rig.worker()
    root.submit("tree:2:a")
    taken(rig, first, 1)
    first.step()
    rig.cut(first)
    rig.tick(timing.LOST_S + 1)
    second = rig.worker()
    rig.dispatch()
    second.handle()
    task = second.queue[0]
    second.submit_batch(task.id, task.place, 2, [b"leaf:x", b"leaf:y"])  # as they complete
    rig.settle(work=False)
    rig.restart()
    root.connect()
    first.connect()
    rig.settle(work=False)
    first.submit_batch(task.id, task.place, 2, [b"leaf:z"], claimed=[(0, 1)])  # and tells no other
    rig.settle()
    assert not root.missing()
    assert report(rig)["mismatches"] == 0
