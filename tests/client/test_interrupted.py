"""Ctrl-C in the midst of a submission: in a notebook, the next calls come after it."""

from __future__ import annotations

import pytest

from scoop_ft.client.scopes import Scope, define
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE
from scoop_ft.wire import messages as wire

from ..broker.rig import Rig
from .joined import JoinedRoot


def square(x: int) -> int:
    return x * x


@pytest.fixture
def scope() -> Scope:
    return Scope(ROOT_ID, ROOT_LINEAGE, replayed=False)


def interrupted(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def test_a_call_whose_submission_was_interrupted_does_not_count(
    scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = define(square)
    assert scope.add(function, (1,), {})[1] == 0
    with monkeypatch.context() as patch:
        patch.setattr(Scope, "_index", interrupted)  # it is packed, and not counted yet
        with pytest.raises(KeyboardInterrupt):
            scope.add(function, (2,), {})
    assert scope.add(function, (3,), {})[1] == 1
    closed = scope.close()
    assert closed is not None
    assert (closed.group.count, closed.packed.objects, closed.group.missing) == (2, 2, 2)
    assert scope.next == 2


def test_nothing_is_left_of_the_only_call(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Scope, "_index", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scope.add(define(square), (2,), {})
    assert scope.close() is None
    assert not scope.has_open()


def test_a_batch_that_is_over_full_takes_one_call_at_least(scope: Scope) -> None:
    function = define(square)
    for number in range(2_100):
        scope.add(function, (number,), {})
    assert scope.is_full()
    assert scope.room() == 1


def test_a_function_counts_as_said_when_it_was_said() -> None:
    rig = Rig()
    root = JoinedRoot(rig)
    session, function = root.real, define(square)
    session.outbox.clear()
    keep = session.keep
    session.keep = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        session.define(function, root.scope)
    session.keep = keep  # type: ignore[method-assign]
    session.define(function, root.scope)
    session.define(function, root.scope)
    assert [type(m) for m, _ in session.outbox] == [wire.Define]
    session.define(function._replace(code=b"another" + bytes(9)), root.scope)
    assert [type(m) for m, _ in session.outbox] == [wire.Define] * 2, "it means something else"
