"""A session's part in what must not go wrong: what it says when it comes back."""

from __future__ import annotations

import pytest

from scoop_ft.broker import timing
from scoop_ft.client.groups import outcome
from scoop_ft.errors import CancelledError
from scoop_ft.ids import ROOT_ID
from scoop_ft.wire import messages as wire

from ..broker.rig import Rig
from .joined import JoinedRoot


def test_a_result_is_not_taken_for_that_of_another_call_that_was_lost_on_its_way() -> None:
    rig = Rig()
    before = JoinedRoot(rig)
    before.submit("old")
    before.send()
    rig.worker()
    rig.settle()
    rig.vanish(before)  # type: ignore[arg-type]

    root = JoinedRoot(rig)
    group = root.submit("new")  # the script was edited
    root.real.outbox.clear()  # the broker never hears of it
    rig.cut(root)  # type: ignore[arg-type]
    root.connect()
    rig.flush()
    root.handle()
    rig.settle()
    found = group.find(0)
    assert found is not None
    assert b"new" in bytes(found[0].data(found[1])[0])


def cancelled(root: JoinedRoot, ordinal: int) -> int:
    return root.real.ask(lambda r: wire.Cancel(r, ROOT_ID, [(ordinal, ordinal + 1)]))


def test_a_cancelled_child_has_ended_and_is_not_asked_for_again() -> None:
    rig = Rig()
    root = JoinedRoot(rig)
    group = root.submit("a", "b")
    request = cancelled(root, 1)
    root.send()
    rig.settle()
    assert root.real.answer(request) == [(1, 2)]
    found = group.find(1)
    assert found is not None
    assert isinstance(outcome(*found)[1], CancelledError)
    rig.cut(root)  # type: ignore[arg-type]
    root.connect()
    rig.worker()
    rig.settle()
    assert len(rig.ran) == 1, "only the other one ran"


def test_a_request_is_said_again_until_it_is_answered() -> None:
    rig = Rig()
    root = JoinedRoot(rig)
    group = root.submit("a", "b")
    root.send()
    rig.settle()
    request = cancelled(root, 1)
    root.send()
    rig.cut(root)  # type: ignore[arg-type]  # with the answer under way
    root.connect()
    rig.settle()
    assert root.real.answer(request) == [(1, 2)]
    assert group.done(1)
    rig.cut(root)  # type: ignore[arg-type]
    root.connect()
    rig.flush()
    root.handle()
    assert not root.real._asked, "an answered one is not said again"


def test_a_request_is_answered_once_though_it_was_said_twice() -> None:
    """The first answer counts: a second one could be another."""
    rig = Rig()
    root = JoinedRoot(rig)
    root.submit("a")
    root.send()
    worker = rig.worker()
    rig.dispatch()
    request = cancelled(root, 0)
    root.send()  # the worker is asked, and is slow to answer
    rig.cut(root)  # type: ignore[arg-type]
    root.connect()
    rig.flush()
    root.handle()
    assert len(rig.broker.cancels) == 1
    worker.handle()
    rig.settle(commit=False, work=False)
    assert root.real.answer(request) is not None
    assert not rig.broker.cancels


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_given_up_stays_so_though_its_submission_is_said_again(restarted: bool) -> None:
    rig = Rig()
    root = JoinedRoot(rig)
    root.submit("a", "b")
    request = cancelled(root, 1)
    root.send()
    rig.settle(commit=False)
    assert root.real.answer(request) == [(1, 2)]
    if restarted:
        rig.restart()  # and the submission is in no journal
    else:
        rig.cut(root)  # type: ignore[arg-type]  # and the submission is not acknowledged
    root.connect()
    rig.worker()
    rig.tick(timing.GRACE_S + 1)
    rig.settle()
    assert len(rig.ran) == 1, "only the other one ran"
    assert not root.real._given_up, "it is recorded now"


def test_a_second_welcome_changes_nothing() -> None:
    """The broker had the hello of an older connection still to answer."""
    rig = Rig()
    root = JoinedRoot(rig)
    root.submit("a")
    root.send()
    rig.settle(commit=False)
    root.real.on_message(wire.Welcome("a-run", 1, {}), ())
    assert root.real.outbox == []
