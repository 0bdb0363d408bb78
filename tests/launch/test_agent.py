"""The agent's decisions: restarts, heartbeats, deaths told until acknowledged."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scoop_ft.launch.agent import (
    HEARTBEAT_S,
    LONGEST_DELAY_S,
    SILENCE_S,
    STARTUP_S,
    Agent,
)
from scoop_ft.launch.blame import ENDS_UNASKED
from scoop_ft.launch.effects import (
    Effect,
    Finished,
    Kill,
    Reconnect,
    Say,
    Send,
    Sight,
    Spawn,
    Unfit,
)
from scoop_ft.wire.messages import (
    NO_WORKER,
    Ack,
    Gone,
    Heartbeat,
    Hello,
    Refused,
    Stats,
    Stop,
    Unknown,
    Welcome,
)

WELCOME = Welcome("run", 1, {})
TASK = bytes(19) + b"\x01"


def sessions() -> Iterator[bytes]:
    return (number.to_bytes(8, "big") for number in itertools.count(1))


def agent_of(workers: int, at_once: int | None = None) -> Agent:
    return Agent(b"agent...", workers, sessions(), "host", 99, at_once=at_once)


def spawned(effects: list[Effect]) -> list[bytes]:
    return [effect.session for effect in effects if isinstance(effect, Spawn)]


def sent(effects: list[Effect]) -> list[Any]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def said(effects: list[Effect]) -> str:
    return "\n".join(effect.text for effect in effects if isinstance(effect, Say))


def up_and_running(workers: int, now: float = 0.0) -> tuple[Agent, list[bytes]]:
    """Return an agent whose workers live and whose broker has welcomed it."""
    agent = agent_of(workers)
    begun = spawned(agent.tick(now, {}))
    for number, session in enumerate(begun):
        agent.started(session, 100 + number, now)
    agent.connecting(now)
    agent.received(WELCOME, now)
    agent.tick(now, {session: Sight(ready=True) for session in begun})
    return agent, begun


def die(agent: Agent, session: bytes, now: float, **more: Any) -> list[Effect]:
    sight = more.pop("sight", Sight(ready=True))
    return agent.exited(session, more.pop("code", 0), more.pop("by", 9), sight, [], now)


def next_spawn(agent: Agent, now: float) -> tuple[bytes, float]:
    """Let time pass until a worker is started; return its session and when that was."""
    while not (begun := spawned(agent.tick(now, {}))):
        assert agent.next_tick(now) > now
        now = agent.next_tick(now)
    return begun[0], now


# ---- workers ------------------------------------------------------------------------------------


def test_workers_for_whom_there_is_no_core_wait_for_the_broker() -> None:
    agent = agent_of(3, at_once=1)
    (first,) = spawned(agent.tick(0.0, {}))
    agent.started(first, 100, 0.0)
    agent.connecting(0.0)
    assert spawned(agent.tick(0.1, {})) == []
    assert agent.next_tick(0.1) > 0.1, "the driver would never sleep"
    agent.received(WELCOME, 0.2)
    assert agent.next_tick(0.2) <= 0.2
    assert len(spawned(agent.tick(0.2, {}))) == 2
    agent.exited(first, 0, 9, Sight(ready=True), [], 1.0)
    agent.lost()
    assert len(spawned(agent.tick(1.0, {}))) == 1, "without a broker, but there was one"


def test_it_starts_as_many_as_it_shall_without_waiting_for_the_broker() -> None:
    agent = agent_of(3)
    effects = agent.tick(0.0, {})
    assert [effect.slot for effect in effects if isinstance(effect, Spawn)] == [0, 1, 2]
    assert len(set(spawned(effects))) == 3
    assert spawned(agent.tick(0.1, {})) == []


def test_a_worker_that_died_is_started_again_at_once_under_a_new_session() -> None:
    agent, (first, second) = up_and_running(2)
    effects = die(agent, first, 5.0, sight=Sight(ready=True, task=TASK, tasks_done=7))
    (gone,) = sent(effects)
    assert gone == Gone(1, first, 100, 0, 9, TASK, "")
    assert "killed by SIGKILL while it ran a task" in said(effects)
    effects = agent.tick(5.0, {})
    (new,) = spawned(effects)
    assert new not in (first, second)
    assert agent.restarts == 1


def test_deaths_at_start_are_slowed_down_and_explained() -> None:
    agent = agent_of(1)
    now = 0.0
    delays: list[float] = []
    words: list[str] = []
    for _ in range(12):
        before = now
        session, now = next_spawn(agent, now)
        delays.append(now - before)
        agent.started(session, 1, now)
        words.append(said(agent.exited(session, 1, 0, Sight(), ["Trace", "no numpy"], now)))
    assert delays[:6] == pytest.approx([0, 0, 0.5, 1, 2, 4])
    assert max(delays) == LONGEST_DELAY_S
    assert agent.trouble() == "the workers die as they start: no numpy"
    assert words[0] == "worker 0 (pid 1) exited (1) as it started; started again"
    assert words[2] == (
        "worker 0 (pid 1) exited (1) as it started, 3 times in a row; "
        "trying again in 1 s:\n  Trace\n  no numpy"
    )
    assert [bool(text) for text in words[:7]] == [True, False, True, False, False, True, False]


def test_workers_that_are_just_starting_are_no_trouble_yet() -> None:
    agent = agent_of(1)
    session, _ = next_spawn(agent, 0.0)
    agent.started(session, 1, 0.0)
    agent.received(Stats({"waiting": "a disk is full"}), 1.0)
    assert agent.trouble() == ""
    agent.received(Stats({"waiting": NO_WORKER}), 1.0)
    assert agent.trouble() == "the workers are starting"
    ready = {session: Sight(ready=True)}
    agent.tick(1.1, ready)
    agent.received(Stats({"waiting": NO_WORKER}), 3.0)
    assert agent.trouble() == "the workers are starting", "it has still to connect"
    agent.tick(STARTUP_S + 1, ready)
    assert agent.trouble() == "", "nobody knows why it does not come up"


def test_a_machine_that_cannot_import_the_script_leaves() -> None:
    agent, (first, other) = up_and_running(2)
    effects = die(agent, first, 5.0, by=0, sight=Sight(ready=True, left=True, unfit=True))
    assert agent.leaving
    assert Kill(other, signal.SIGTERM) in effects
    assert Unfit("") in effects


def test_one_that_could_import_it_stays_for_the_sake_of_what_runs_there() -> None:
    agent, (first, other) = up_and_running(2)
    at_work = Sight(ready=True, task=TASK, imported=True)
    agent.tick(5.0, {other: at_work})
    effects = die(agent, first, 5.0, by=0, sight=Sight(ready=True, left=True, unfit=True))
    assert not agent.leaving
    assert "trying again in 30 s" in said(effects)
    second, at = next_spawn(agent, 5.0)
    assert at == 35.0
    assert second != first
    die(agent, other, 50.0, sight=at_work)
    die(agent, second, 51.0, by=0, sight=Sight(ready=True, left=True, unfit=True))
    assert agent.leaving, "nobody is left here who has imported it"


def test_after_one_good_start_a_slot_is_trusted_again() -> None:
    agent = agent_of(1)
    now = 0.0
    for _ in range(3):
        session, now = next_spawn(agent, now)
        agent.started(session, 1, now)
        agent.exited(session, 1, 0, Sight(), [], now)
    session, now = next_spawn(agent, now)
    agent.started(session, 1, now)
    agent.tick(now, {session: Sight(ready=True)})
    assert not agent.trouble()
    die(agent, session, now)
    assert spawned(agent.tick(now, {}))


def test_a_worker_that_could_not_be_started_is_a_death_at_start() -> None:
    agent = agent_of(1)
    (session,) = spawned(agent.tick(0.0, {}))
    text = said(agent.exited(session, 1, 0, Sight(), ["no memory"], 0.0))
    assert text == "worker 0 could not be started; trying again: no memory"
    assert spawned(agent.tick(0.0, {}))


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_is_killed_as_the_machine_leaves_has_left(by: int) -> None:
    """A task may let no thread answer SIGTERM, or have seen to it that nobody hears it."""
    agent, (worker, other) = up_and_running(2)
    agent.leave()
    (gone,) = sent(die(agent, worker, 1.0, by=by, sight=Sight(ready=True, task=TASK)))
    assert (gone.signal, gone.task) == (by, b"")
    (gone,) = sent(die(agent, other, 1.0, by=signal.SIGSEGV, sight=Sight(ready=True, task=TASK)))
    assert gone.task == TASK


def test_sigterm_that_ends_a_worker_is_its_tasks_doing_in_the_end() -> None:
    agent, (worker,) = up_and_running(1)
    sight, now = Sight(ready=True, task=TASK), 1.0
    for _ in range(ENDS_UNASKED - 1):
        (gone,) = sent(die(agent, worker, now, by=signal.SIGTERM, sight=sight))
        assert not gone.task
        worker, now = next_spawn(agent, now)
        agent.started(worker, 100, now)
    (gone,) = sent(die(agent, worker, now, by=signal.SIGTERM, sight=sight))
    assert gone.task == TASK


def test_leaving_tells_the_workers_and_starts_none() -> None:
    agent, workers = up_and_running(2)
    assert agent.leave() == [Kill(worker, signal.SIGTERM) for worker in workers]
    for worker in workers:
        assert said(die(agent, worker, 1.0, by=0)) == ""
    assert spawned(agent.tick(1.0, {})) == []


# ---- heartbeats ---------------------------------------------------------------------------------


def test_heartbeats_are_regular_and_at_once_when_something_changes() -> None:
    agent, (worker,) = up_and_running(1)
    assert sent(agent.tick(0.1, {})) == []
    agent.stopped(worker, True)
    (beat,) = sent(agent.tick(0.2, {}))
    assert beat.workers[0].state == "stopped"
    agent.stopped(worker, False)
    (beat,) = sent(agent.tick(0.2, {}))
    assert beat.workers[0].state == "idle"
    assert sent(agent.tick(0.2 + HEARTBEAT_S / 2, {})) == []
    (beat,) = sent(agent.tick(0.2 + HEARTBEAT_S, {}))
    assert isinstance(beat, Heartbeat)


def test_a_heartbeat_says_what_runs_and_since_when() -> None:
    agent, (worker,) = up_and_running(1)
    agent.tick(1.0, {worker: Sight(True, TASK, 4, 1000)})
    (beat,) = sent(agent.tick(3.0, {worker: Sight(True, TASK, 4, 2000)}))
    (report,) = beat.workers
    assert (report.state, report.task, report.since_s) == ("busy", TASK, 2.0)
    assert (report.tasks_done, report.rss_bytes, report.pid) == (4, 2000, 100)


def test_nothing_but_hello_is_sent_before_the_welcome() -> None:
    agent = agent_of(1)
    (session,) = spawned(agent.tick(0.0, {}))
    agent.started(session, 1, 0.0)
    (hello,) = sent(agent.connecting(0.0))
    assert isinstance(hello, Hello)
    assert (hello.role, hello.holding, hello.hosting) == ("agent", [], [])
    assert sent(agent.tick(1.0, {})) == []
    agent.received(WELCOME, 1.0)
    (beat,) = sent(agent.tick(1.0, {}))
    assert beat.workers[0].session == session


# ---- the broker goes and comes ------------------------------------------------------------------


def test_deaths_are_told_again_until_acknowledged() -> None:
    agent, (a, b) = up_and_running(2)
    die(agent, a, 1.0)
    assert agent.lost() == [Reconnect()]
    assert sent(die(agent, b, 1.1)) == []
    agent.connecting(1.2)
    again = sent(agent.received(WELCOME, 1.3))
    assert [(gone.n, gone.session) for gone in again] == [(1, a), (2, b)]
    agent.received(Ack(1), 1.4)
    agent.connecting(2.0)
    assert [gone.n for gone in sent(agent.received(WELCOME, 2.0))] == [2]
    agent.received(Ack(2), 2.1)
    agent.connecting(3.0)
    assert sent(agent.received(WELCOME, 3.0)) == []


def test_silence_makes_a_new_connection_but_our_own_sleep_does_not() -> None:
    agent, _ = up_and_running(1)
    now = 0.0
    while now < SILENCE_S:
        assert Reconnect() not in agent.tick(now, {})
        now += 0.4
    assert Reconnect() in agent.tick(now, {})
    agent, _ = up_and_running(1)
    agent.received(Stats({}), 1.0)
    agent.tick(1.0, {})
    assert Reconnect() not in agent.tick(5000.0, {})  # a laptop that slept
    assert Reconnect() not in agent.tick(5000.4, {})


def test_a_driver_that_ticks_when_it_is_due_connects_anew_until_somebody_answers() -> None:
    agent, _ = up_and_running(2)
    agent.lost()
    agent.connecting(0.0)
    agent.tick(0.0, {})
    anew = []
    for now in (step / 10 for step in range(1, int(SILENCE_S * 40))):
        if agent.next_tick(now) <= now or agent.changed:
            effects = agent.tick(now, {})
            if Reconnect() in effects:
                anew.append(now)
                agent.connecting(now)
    assert len(anew) == 3
    assert anew[0] <= SILENCE_S + 2 * HEARTBEAT_S


def test_unknown_means_hello_again() -> None:
    agent, _ = up_and_running(1)
    assert agent.received(Unknown(), 1.0) == [Reconnect()]
    assert not agent.connected


@pytest.mark.parametrize(("message", "refused"), [(Stop("over"), False), (Refused("old"), True)])
def test_the_broker_may_end_it(message: Any, refused: bool) -> None:
    agent, (worker,) = up_and_running(1)
    kill, finished = agent.received(message, 1.0)
    assert kill == Kill(worker, signal.SIGTERM)
    assert finished == Finished(message.reason, refused)
    assert spawned(agent.tick(2.0, {})) == []


def test_the_last_figures_are_kept() -> None:
    agent, _ = up_and_running(1)
    agent.received(Stats({"tasks": {"done": 3}}), 4.0)
    assert agent.stats["tasks"]["done"] == 3
    assert agent.stats_since(3.9)
    assert not agent.stats_since(4.0)


# ---- anything, in any order ---------------------------------------------------------------------


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, there are as many workers as wanted, and each death is told in order."""

    WANTED = 3

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.agent = agent_of(self.WANTED)
        self.alive: dict[bytes, Sight] = {}
        self.told: list[Gone] = []  # on this connection
        self.died: list[bytes] = []
        self.acknowledged = 0
        self.carry_out(self.agent.tick(self.now, {}))
        self.carry_out(self.agent.connecting(self.now))

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Spawn):
                assert effect.session not in self.alive
                assert effect.session not in self.died
                self.alive[effect.session] = Sight()
                self.carry_out(self.agent.started(effect.session, len(self.died) + 1, self.now))
            elif isinstance(effect, Send) and isinstance(effect.message, Gone):
                assert self.agent.connected
                self.told.append(effect.message)
            elif isinstance(effect, Send) and isinstance(effect.message, Heartbeat):
                assert {report.session for report in effect.message.workers} <= set(self.alive)
            elif isinstance(effect, Reconnect):
                self.told = []
                self.carry_out(self.agent.connecting(self.now))

    @rule(pause=st.floats(0, 5))
    def tick(self, pause: float) -> None:
        self.now += pause
        self.carry_out(self.agent.tick(self.now, dict(self.alive)))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), done=st.integers(0, 5), ready=st.booleans(), by=st.sampled_from([0, 9]))
    def death(self, data: st.DataObject, done: int, ready: bool, by: int) -> None:
        session = data.draw(st.sampled_from(sorted(self.alive)))
        del self.alive[session]
        self.died.append(session)
        sight = Sight(ready, b"", done)
        self.carry_out(self.agent.exited(session, 0, by, sight, ["words"], self.now))

    @rule()
    def welcome(self) -> None:
        self.told = []
        self.carry_out(self.agent.received(WELCOME, self.now))

    @rule()
    def connection_lost(self) -> None:
        self.carry_out(self.agent.lost())

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        n = data.draw(st.sampled_from([gone.n for gone in self.told]))
        self.acknowledged = max(self.acknowledged, n)
        self.carry_out(self.agent.received(Ack(n), self.now))

    @invariant()
    def deaths_are_told_in_order_without_a_gap(self) -> None:
        numbers = [gone.n for gone in self.told]
        assert numbers == sorted(set(numbers))
        assert [self.died[n - 1] for n in numbers] == [gone.session for gone in self.told]
        if self.agent.connected and len(self.died) > self.acknowledged:
            assert set(range(self.acknowledged + 1, len(self.died) + 1)) <= set(numbers)

    @invariant()
    def never_too_many(self) -> None:
        assert len(self.alive) <= self.WANTED

    def teardown(self) -> None:
        self.now += LONGEST_DELAY_S + 1  # calm: everybody is back
        self.carry_out(self.agent.tick(self.now, dict(self.alive)))
        assert len(self.alive) == self.WANTED


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
