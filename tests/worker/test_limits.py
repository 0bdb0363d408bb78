"""Time limits of tasks that wait: who is ended late, and who is not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoop_ft.slate import DEADLINE, Slate
from scoop_ft.wire.messages import Run, Status
from scoop_ft.worker.limits import LATE_S, Limits, Overdue
from scoop_ft.worker.session import WorkerSession
from scoop_ft.worker.spans import Span

DIGEST = bytes(16)


class Waiting:
    """What `Limits` looks at of a runner."""

    def __init__(self, limit_s: float) -> None:
        self.span = span(limit_s)
        self.index = 0
        self.until = 0.0
        self.told = self.parked = False


def span(limit_s: float) -> Span:
    ends = (0).to_bytes(4, "little")
    run = Run(bytes(16), 0, 1, bytes(16), 0, [DIGEST], b"", ends, 0, [], [], limit_s)
    return Span.from_run(run, [b""])


def runner(limit_s: float) -> Any:
    return Waiting(limit_s)


@pytest.fixture
def session() -> WorkerSession:
    session = WorkerSession(bytes(8), "here", bytes(8))
    session.functions.add(DIGEST, "f", b"")
    return session


@pytest.fixture
def limits(session: WorkerSession, tmp_path: Path) -> Limits:
    return Limits(Slate.create(tmp_path / "slate"), session)


def wait_until_late(one: Any) -> None:
    while time.monotonic() <= one.until + LATE_S:
        time.sleep(0.01)


def test_who_waits_past_its_time_is_reported_once(limits: Limits, session: WorkerSession) -> None:
    one = runner(0.01)
    limits.begin(one, 0.01)
    limits.park(one)
    one.parked = True
    wait_until_late(one)
    for _ in range(2):
        session.flush()
    (kept,) = session._unacknowledged
    assert kept.message.status == bytes((Status.LOST,))
    story = msgspec.msgpack.decode(kept.frames[0])
    assert (story["function"], story["host"], story["limit"]) == ("f", "here", 0.01)
    assert one.told
    with pytest.raises(Overdue):
        limits.check(one)


def test_who_goes_on_just_then_is_not_reported(limits: Limits, session: WorkerSession) -> None:
    one = runner(0.01)
    limits.begin(one, 0.01)
    limits.park(one)
    wait_until_late(one)
    session.flush()
    assert session.all_acknowledged()
    limits.go_on(one)
    assert limits._words[DEADLINE] > time.monotonic_ns(), "it has a moment to clean up"
    with pytest.raises(Overdue):
        limits.check(one)


def test_who_was_given_up_while_it_waited_leaves_its_limit_behind(
    limits: Limits, session: WorkerSession
) -> None:
    """Its runner waits again, in a task without a limit."""
    one = runner(60.0)
    limits.begin(one, 60.0)
    limits.park(one)
    limits.end(one)  # abandoned: nobody has asked whether its time was over
    one.span = span(0.0)
    one.parked = True
    session.flush()
    assert session.all_acknowledged()
    assert session.on_flush is None
