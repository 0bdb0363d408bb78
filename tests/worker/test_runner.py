"""A worker's runners, with tasks that come and go while others run."""

from __future__ import annotations

import pickle
import time
from array import array
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from scoop_ft import futures
from scoop_ft.client.connection import Connection
from scoop_ft.client.link import Link
from scoop_ft.client.runtime import install
from scoop_ft.client.scopes import define
from scoop_ft.slate import Slate
from scoop_ft.wire import messages as wire
from scoop_ft.worker.runner import Crew
from scoop_ft.worker.runtime import WorkerRuntime
from scoop_ft.worker.session import WorkerSession
from scoop_ft.worker.spans import Span

BATCH = bytes(16)
CREWS: list[Crew] = []
SEEN: list[str] = []


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """Return a crew whose broker is not there."""
    session = WorkerSession(b"12345678", "host", b"")
    link = Link(session, Connection(lambda: f"ipc://{tmp_path}/nobody", lambda: None), lambda: None)
    link.start()
    CREWS[:] = [Crew(session, link, Slate.create(tmp_path / "slate"))]
    CREWS[0].calls.imported = True  # there is no script
    SEEN.clear()
    yield CREWS[0]
    link.close()


def give(crew: Crew, *arguments: str, start: int = 0) -> None:
    """Give a worker calls of `task`."""
    function = define(task)
    parts = [pickle.dumps((argument,)) for argument in arguments]
    run = wire.Run(
        BATCH, start, start + len(parts), bytes(16), 0, [function.digest], b"",
        array("I", accumulate(map(len, parts))).tobytes(), 0, [], [],
    )  # fmt: skip
    with crew.link.state:
        crew.session.on_message(wire.Function(function.digest, "task"), [function.blob])
        crew.session.on_message(run, [b"".join(parts)])


def drop(crew: Crew, index: int, *, cancelled: bool = False) -> None:
    """The broker does not want a task from this worker any more."""
    with crew.link.state:
        crew.session.on_message(wire.Drop(0, [(BATCH, index, index + 1)], cancelled), [])


class Submits:
    """What submits a call as it is pickled."""

    pickled = 0

    def __reduce__(self) -> tuple[type, tuple[int]]:
        Submits.pickled += 1
        futures.submit(task, "a child")
        return int, (Submits.pickled,)


def task(what: str) -> str:
    """Do what a test wants."""
    crew = CREWS[0]
    SEEN.append(what)
    if what == "dropped while it runs":
        drop(crew, 0)
        crew.wait(lambda: False, (), None)
    if what == "waits":
        crew.wait(lambda: False, (), None)
    if what == "may go on":
        crew.wait(lambda: len(SEEN) > 1, (), None)
    if what == "hangs, cancelled":
        crew.wake_waiters()  # they could go on, had they the thread
        for index, cancelled in ((1, True), (0, False), (1, True)):  # it is said again
            drop(crew, index, cancelled=cancelled)
            assert crew._slate.is_cancelled()
            SEEN.append("with others" if crew._slate.has_others() else "alone")
    if what in ("computes", "computes, told"):
        futures.submit(task, "a child")
        if what == "computes, told":
            with crew.link.state:
                crew.session.flush()
        drop(crew, 0)
        try:
            futures.submit(task, "another child")
        except BaseException:  # noqa: BLE001 - a program that catches all it can
            return "made of less"
    if what == "looks":  # as another thread does while this one computes
        with crew.link.state:
            before = held(crew)
            crew.session.flush()
            SEEN.append(f"held {before}, then {held(crew)}, sent {sent(crew)}")
    if what == "drops all":
        with crew.link.state:
            crew.session.on_message(wire.Drop(0, [(BATCH, 0, 3)]), [])
    if what == "raises":
        raise ValueError(what)
    if what == "submits":
        return Submits()  # type: ignore[return-value]
    if what == "cannot be pickled":
        return crew  # type: ignore[return-value]
    if what == "slow":
        time.sleep(0.02)
    if what == "free":
        SEEN.append(f"{len(crew.session.queue)} can be recalled")
    if what == "the end":
        crew.leaving = True
    return what


def test_a_task_that_is_dropped_while_it_runs_ends_when_it_waits(crew: Crew) -> None:
    give(crew, "dropped while it runs", "the end")
    crew.run()
    assert SEEN == ["dropped while it runs", "the end"]
    assert not crew.session.running, "it has ended"
    assert [status for _, _, status in done(crew)] == [0], "without a result"


@pytest.mark.parametrize("other", ["waits", "may go on"])
def test_whether_others_would_have_to_begin_again_with_a_cancelled_task(
    crew: Crew, other: str
) -> None:
    give(crew, other, "hangs, cancelled", "the end")
    crew.run()
    with_others = ["with others", "with others", "alone"]
    assert SEEN[1:] == ["hangs, cancelled", *with_others, "the end"]


def test_tasks_that_take_longer_than_others_before_do_not_wait_behind_one_another(
    crew: Crew,
) -> None:
    crew.session.queue._costs[define(task).digest] = 1e-6
    give(crew, "slow", "free", "the end")
    crew.run()
    assert SEEN == ["slow", "free", "1 can be recalled", "the end"]


def test_what_has_ended_is_sent_while_the_next_task_of_its_piece_runs(crew: Crew) -> None:
    crew.session.queue._costs[define(task).digest] = 1e-6
    give(crew, "first", "second", "looks", "the end")
    crew.run()
    all_held = "[0, 1, 2, 3]"
    assert SEEN[2:4] == ["looks", f"held {all_held}, then {all_held}, sent [0, 1]"]
    with crew.link.state:
        crew.session.flush()
    assert sent(crew) == [0, 1, 2, 3]


def test_a_tray_with_nothing_on_it_holds_nothing(crew: Crew) -> None:
    give(crew, "first", "second")
    piece = crew.session.queue.take()
    assert piece is not None
    tray = crew.session.lay(piece)  # the first task has not begun
    assert crew.session.holding() == [(BATCH, 0, 2)]
    piece.next += 1
    tray.packer.pack("its result")
    crew.session.flush()  # it was sent, and the next one has not begun
    assert tray.held() == (1, 1)
    assert crew.session.holding() == [(BATCH, 0, 2)]
    piece.stop = 1  # the other one was recalled
    crew.session.queue = type(crew.session.queue)()
    crew.session._unacknowledged.clear()
    assert crew.session.holding() == []


def test_what_begins_while_it_is_asked_what_is_held_is_held_once(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main thread goes on between two looks of another one."""
    session = crew.session
    session.queue._costs[define(task).digest] = 1e-6
    give(crew, *map(str, range(6)))
    piece = session.queue.take()
    assert piece is not None
    tray = session.lay(piece)
    spans = session.queue.spans

    def goes_on() -> Iterator[tuple[Span, int, int]]:
        for each in spans():
            yield each
            piece.next += 3  # two results, and a third one runs
            for result in (1, 2):
                tray.packer.pack(result)

    monkeypatch.setattr(session.queue, "spans", goes_on)
    assert session.holding() == [(BATCH, 0, 6)]


def test_results_of_pieces_that_follow_each_other_go_together(crew: Crew) -> None:
    give(
        crew, "first", "second", "third", "the end"
    )  # one task a piece: nobody knows what it takes
    crew.run()
    with crew.link.state:
        crew.session.flush()
    results = [m for _, m, _, _, _ in crew.session._unacknowledged if type(m) is wire.Results]
    assert [m.ranges for m in results] == [[(0, 4)]]


def test_a_result_that_submits_as_it_is_pickled_is_pickled_once(crew: Crew) -> None:
    crew.session.queue._costs[define(task).digest] = 1e-6
    Submits.pickled = 0
    install(WorkerRuntime(crew.session, crew.link, crew))
    try:
        give(crew, "first", "submits", "the end")
        crew.run()
    finally:
        install(None)
    ((_, _, payload, _),) = [
        each for span in crew.session._finished.values() for each in span.done if each[0] == 1
    ]
    assert (Submits.pickled, pickle.loads(payload)) == (1, 1)


def test_the_rest_of_a_piece_is_dropped_too(crew: Crew) -> None:
    crew.session.queue._costs[define(task).digest] = 1e-6
    give(crew, "drops all", "second", "third")
    give(crew, "the end", start=3)
    crew.run()
    assert SEEN == ["drops all", "second", "the end"], "one might have begun just then"


def test_what_raises_in_a_piece_ends_by_itself_and_the_others_go_on(crew: Crew) -> None:
    crew.session.queue._costs[define(task).digest] = 1e-6
    give(crew, "first", "raises", "second", "cannot be pickled", "the end")
    crew.run()
    found = sorted((index, status) for _, index, status in done(crew))
    raised = int(wire.Status.RAISED)
    assert found == [(0, 0), (1, raised), (2, 0), (3, raised), (4, 0)]
    assert not crew.session.running
    assert all(tray.piece is None for tray in crew.session._trays)


@pytest.mark.parametrize("what", ["computes", "computes, told"])
def test_a_task_that_is_dropped_while_it_computes_submits_nothing_more(
    crew: Crew, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be taken for the next attempt's, when this worker is given the task again."""
    session, said = crew.session, []
    monkeypatch.setattr(session, "say", said.append)
    monkeypatch.setattr(session, "keep", lambda message, *rest: said.append(message))
    install(WorkerRuntime(session, crew.link, crew))
    try:
        give(crew, what, "the end")
        crew.run()
    finally:
        install(None)
    with crew.link.state:
        session.flush()
    kinds = [type(message) for message in said]
    assert (wire.Submit in kinds) is (what == "computes, told")
    assert wire.Submit not in kinds[kinds.index(wire.Returned) :]
    results = [message.ranges for message in said if type(message) is wire.Results]
    assert results == [[(1, 2)]], "what it made of less is no result"


def done(crew: Crew) -> list[tuple[bytes, int, int]]:
    """Return the results that wait to be sent: what a task only returned, then all others."""
    on_trays = [
        (tray.span.batch, index, 0) for tray in crew.session._trays for index in range(*tray.held())
    ]
    return on_trays + [
        (span.batch, index, status)
        for span in crew.session._finished.values()
        for index, status, _, _ in span.done
    ]


def held(crew: Crew) -> list[int]:
    """Return the tasks the worker says it holds."""
    return sorted({i for _, start, stop in crew.session.holding() for i in range(start, stop)})


def sent(crew: Crew) -> list[int]:
    """Return the tasks whose results are on their way."""
    messages = [each.message for each in crew.session._unacknowledged]
    ranges = [each for m in messages if type(m) is wire.Results for each in m.ranges]
    return sorted(index for start, stop in ranges for index in range(start, stop))
