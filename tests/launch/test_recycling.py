"""When the agent lets a worker make room for another, and what it says of it."""

from __future__ import annotations

from typing import Any

from scoop_ft.launch.effects import Retire, Send, Sight, Spawn
from scoop_ft.launch.recycling import SHORT_LIFE_S, SHORT_LIVES_SAID, Limits
from scoop_ft.wire.messages import Gone

from .test_agent import said, sent, spawned, up_and_running

LIMIT = 100_000_000
LARGE = Sight(ready=True, tasks_done=5, rss_bytes=LIMIT + 1)


def retired(effects: list[Any]) -> list[bytes]:
    return [effect.session for effect in effects if isinstance(effect, Retire)]


def test_one_with_too_much_memory_is_told_once() -> None:
    agent, (one, other) = up_and_running(2)
    agent.limits = Limits(memory_bytes=LIMIT)
    small = Sight(ready=True, tasks_done=5, rss_bytes=LIMIT)
    assert retired(agent.tick(1.0, {one: LARGE, other: small})) == [one]
    assert retired(agent.tick(2.0, {one: LARGE, other: small})) == []


def test_one_that_has_done_nothing_would_only_come_again() -> None:
    agent, (one,) = up_and_running(1)
    agent.limits = Limits(memory_bytes=LIMIT)
    assert retired(agent.tick(1.0, {one: Sight(ready=True, rss_bytes=10 * LIMIT)})) == []


def test_without_limits_nobody_is_told() -> None:
    agent, (one,) = up_and_running(1)
    assert retired(agent.tick(1.0, {one: LARGE})) == []


def test_one_that_has_retired_is_replaced_at_once_and_not_announced() -> None:
    agent, (one, other) = up_and_running(2)
    gone = Sight(ready=True, tasks_done=5, retired=True)
    effects = agent.exited(one, 0, 0, gone, [], 1.0)
    assert said(effects) == ""
    assert [type(message) for message in sent(effects)] == [Gone]  # the broker hears of it
    assert agent.restarts == 0
    assert agent.trouble() == ""
    [new] = spawned(agent.tick(1.0, {other: Sight(ready=True)}))
    effects = agent.exited(other, 0, 0, gone, [], 1.1)
    assert "replaced" in agent.trouble()
    agent.started(new, 7, 1.2)
    agent.tick(1.3, {new: Sight(ready=True)})
    assert agent.trouble() == ""


def test_one_that_was_killed_while_it_retired_has_died() -> None:
    agent, (one,) = up_and_running(1)
    effects = agent.exited(one, 0, 9, Sight(ready=True, tasks_done=5, retired=True), [], 1.0)
    assert "SIGKILL" in said(effects)
    assert agent.restarts == 1


def test_a_limit_that_is_reached_at_once_is_said_once() -> None:
    agent, (session,) = up_and_running(1)
    agent.limits = Limits(memory_bytes=LIMIT)
    now, words = 1.0, []
    gone = Sight(ready=True, tasks_done=5, retired=True)
    for _ in range(3 * SHORT_LIVES_SAID):
        assert retired(agent.tick(now, {session: LARGE})) == [session]
        words.append(said(agent.exited(session, 0, 0, gone, [], now + SHORT_LIFE_S / 2)))
        now += SHORT_LIFE_S
        [session] = spawned(agent.tick(now, {}))
        agent.started(session, 7, now)
    complaints = [text for text in words if text]
    assert len(complaints) == 1
    assert "--max-memory-per-worker" in complaints[0]


def test_who_leaves_anyway_is_not_replaced() -> None:
    agent, (one,) = up_and_running(1)
    agent.leave()
    effects = agent.exited(one, 0, 0, Sight(ready=True, tasks_done=5, retired=True), [], 1.0)
    effects += agent.tick(2.0, {})
    assert not [effect for effect in effects if isinstance(effect, Spawn)]
    assert any(isinstance(effect, Send) for effect in effects)
