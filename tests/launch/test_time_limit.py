"""The agent ends what is overdue: on the slate, in its decisions, and what it tells of it."""

from __future__ import annotations

import signal
from pathlib import Path

from scoop_ft.launch.agent import CANCELLED_S, HEARTBEAT_S
from scoop_ft.launch.effects import Effect, Kill, Sight
from scoop_ft.slate import CANCELLED, DEADLINE, INDEX, Slate

from .test_agent import die, said, sent, spawned, up_and_running

ONE, OTHER = bytes(19) + b"\x01", bytes(19) + b"\x02"


def limited(task: bytes = ONE, deadline: float = 10.0) -> Sight:
    return Sight(ready=True, task=task, deadline=deadline)


def test_the_slate_tells_the_deadline_of_the_task_that_runs(tmp_path: Path) -> None:
    slate = Slate.create(tmp_path / "slate")
    slate.start(bytes(16), 3)
    assert slate.look() == (bytes(19) + b"\x03", 0, 0)
    slate.words[DEADLINE] = 5_000
    assert slate.look() == (bytes(19) + b"\x03", 0, 5_000)
    slate.pause()
    assert slate.look() == (b"", 0, 0), "what waits is not killed by what runs meanwhile"
    slate.start(bytes(16), 4)
    assert slate.look()[2] == 0, "the next task has no limit of the last one's"
    assert slate.words[INDEX] == 4
    slate.close()


def test_the_slate_tells_of_the_cancelled_task_while_it_runs(tmp_path: Path) -> None:
    slate = Slate.create(tmp_path / "slate")
    slate.start(ONE[:16], 3)
    assert not slate.is_cancelled()
    slate.words[CANCELLED] = 3 + 1
    assert slate.is_cancelled()
    slate.words[INDEX] = 4  # the next one of the same batch
    assert not slate.is_cancelled()
    slate.words[INDEX] = 3
    slate.finish()
    assert not slate.is_cancelled()
    slate.start(ONE[:16], 3)
    assert not slate.is_cancelled()


def killed(effects: list[Effect]) -> list[bytes]:
    return [effect.session for effect in effects if isinstance(effect, Kill)]


def test_a_task_that_was_cancelled_may_go_on_for_a_while() -> None:
    agent, (worker, other) = up_and_running(2)
    hangs = Sight(ready=True, task=ONE, cancelled=True)
    also, free = Sight(ready=True, task=OTHER, cancelled=True), Sight(ready=True)
    assert not killed(agent.tick(2.0, {worker: hangs, other: also}))
    assert not killed(agent.tick(4.0, {worker: hangs, other: free})), "it ended in time"
    assert not killed(agent.tick(5.0, {worker: hangs, other: also}))
    late = 2.0 + CANCELLED_S
    assert killed(agent.tick(late, {worker: hangs, other: also})) == [worker]
    assert not killed(agent.tick(late + 0.1, {worker: hangs, other: also})), "only once"
    ended = die(agent, worker, late + 0.2, sight=hangs)
    (gone,) = sent(ended)
    assert (gone.overdue, gone.task) == (False, b""), "it may be wanted again by now"
    assert "its task was cancelled; started again" in said(ended)


def test_what_is_overdue_is_killed_once_and_told_as_such() -> None:
    agent, (session,) = up_and_running(1)
    assert agent.tick(9.9, {session: limited()})[:1] != [Kill(session, signal.SIGKILL)]
    assert agent.next_tick(9.9) == 10.0, "not at the next heartbeat only"
    assert agent.tick(10.0, {session: limited()})[0] == Kill(session, signal.SIGKILL)
    effects = agent.tick(10.1, {session: limited()})
    assert not [effect for effect in effects if isinstance(effect, Kill)]
    ended = die(agent, session, 10.2, sight=limited())
    (gone,) = sent(ended)
    assert (gone.overdue, gone.task, gone.signal) == (True, ONE, signal.SIGKILL)
    assert "the time limit of its task was over; started again" in said(ended)
    assert len(spawned(agent.tick(10.3, {}))) == 1, "at once"


def test_who_began_another_task_just_then_is_not_blamed() -> None:
    agent, (session,) = up_and_running(1)
    agent.tick(10.0, {session: limited()})
    (gone,) = sent(die(agent, session, 10.2, sight=limited(OTHER, 70.0)))
    assert (gone.overdue, gone.task) == (False, b"")


def test_a_stopped_worker_is_killed_when_it_goes_on() -> None:
    agent, (session,) = up_and_running(1)
    agent.stopped(session, True)
    assert not [e for e in agent.tick(11.0, {session: limited()}) if isinstance(e, Kill)]
    assert agent.next_tick(11.0) <= 11.0 + HEARTBEAT_S
    agent.stopped(session, False)
    assert [e for e in agent.tick(11.1, {session: limited()}) if isinstance(e, Kill)]


def test_a_worker_without_a_limit_is_left_alone() -> None:
    agent, (session,) = up_and_running(1)
    for now in (1.0, 1_000.0, 1e6):
        effects = agent.tick(now, {session: Sight(ready=True, task=ONE)})
        assert not [effect for effect in effects if isinstance(effect, Kill)]
