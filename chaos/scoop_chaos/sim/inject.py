"""What each fault does to a world, and how it ends again.

Decides nothing: which fault strikes when is the plan's.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from ..faults import Fault
from .author import edit, reorder
from .plan import Strike

if TYPE_CHECKING:
    from .broker import SimBroker
    from .peers import SimAgent, SimWorker
    from .process import Process
    from .world import World

NOTICE_S = 0.02  # until an agent sees that its worker was stopped
SLOW = 10.0
SLOW_SYNC_S = 0.3
BYTES_LEFT = 2_000


def strike(world: World, each: Strike) -> None:
    """Let a fault happen now."""
    _FAULTS[each.fault](world, each, Random(each.draw))


# ---- workers and agents ------------------------------------------------------------------------


def _a_worker(world: World, rng: Random) -> SimWorker | None:
    workers = [w for agent in world.agents() for w in agent.workers.values() if w.process.alive]
    return rng.choice(workers) if workers else None


def _worker_kill(world: World, each: Strike, rng: Random) -> None:
    worker = _a_worker(world, rng)
    if worker is not None and world.may_blame(worker.task()):
        worker.agent.lose(worker, code=0, by=9)


def _worker_term(world: World, each: Strike, rng: Random) -> None:
    worker = _a_worker(world, rng)
    if worker is not None:
        worker.process.run_aside(worker.terminate)


def _look_at(world: World, worker: SimWorker) -> None:
    """Its agent soon sees whether a worker is stopped."""
    agent = worker.agent
    world.clock.after(NOTICE_S, lambda: agent.stopped(worker, worker.process.frozen))


def _worker_stop(world: World, each: Strike, rng: Random) -> None:
    worker = _a_worker(world, rng)
    if worker is None:
        return
    worker.process.freeze()
    _look_at(world, worker)

    def thaw() -> None:
        worker.process.thaw()
        _look_at(world, worker)

    world.later(each.seconds, thaw)


def _worker_slow(world: World, each: Strike, rng: Random) -> None:
    worker = _a_worker(world, rng)
    if worker is not None:
        worker.process.slow = SLOW
        world.later(each.seconds, lambda: setattr(worker.process, "slow", 1.0))


def _worker_gone(world: World, each: Strike, rng: Random) -> None:
    """A machine is switched off: nobody says so."""
    if world.remote is None or not world.may_blame_all(world.remote):
        return
    agent, world.remote = world.remote, None
    agent.alive = False
    for conn in [c for c in world.network.conns if c.host == agent.host]:
        world.network.half_open(conn)
    for worker in agent.workers.values():
        world.worker_ended(worker, worker.task(), crashed=False)
        worker.process.kill()
        worker.leave_no_code()


def _agent_kill(world: World, each: Strike, rng: Random) -> None:
    if world.remote is None or not world.may_blame_all(world.remote):
        return
    world.remote.kill()
    world.remote = None
    world.later(each.seconds, world.start_remote)


def _agent_stop(world: World, each: Strike, rng: Random) -> None:
    if not world.agents():
        return
    agent = rng.choice(world.agents())
    agent.freeze()
    world.later(each.seconds, agent.thaw)


# ---- the broker --------------------------------------------------------------------------------


def _broker_kill(world: World, each: Strike, rng: Random) -> None:
    world.kill_broker(down=0.1 + 0.4 * rng.random())


def _broker_down(world: World, each: Strike, rng: Random) -> None:
    world.kill_broker(down=each.seconds)


def _broker_stop(world: World, each: Strike, rng: Random) -> None:
    broker = world.broker
    if broker is not None:
        broker.freeze()
        world.later(each.seconds, broker.thaw)


def _broker_term(world: World, each: Strike, rng: Random) -> None:
    if world.broker is not None and world.broker.alive and not world.broker.frozen:
        world.broker.end()
        world.kill_broker(down=0.2)


# ---- the root ----------------------------------------------------------------------------------


def _root_kill(world: World, each: Strike, rng: Random) -> None:
    world.kill_root(down=0.05 + 0.3 * rng.random())


def _root_stop(world: World, each: Strike, rng: Random) -> None:
    root = world.root
    if root is not None:
        root.process.freeze()
        world.later(each.seconds, root.process.thaw)


def _root_reordered(world: World, each: Strike, rng: Random) -> None:
    world.program = reorder(world.program, rng)
    world.kill_root(down=0.1)


def _root_edited(world: World, each: Strike, rng: Random) -> None:
    world.program = edit(world.program, rng)
    world.edited = True
    world.kill_root(down=0.1)


# ---- all ---------------------------------------------------------------------------------------


def _launcher_kill(world: World, each: Strike, rng: Random) -> None:
    world.kill_home(down=each.seconds)


def _everything_kill(world: World, each: Strike, rng: Random) -> None:
    if world.remote is not None:
        world.remote.kill()
        world.remote = None
        world.later(each.seconds, world.start_remote)
    world.kill_home(down=each.seconds)


# ---- the network -------------------------------------------------------------------------------


def _lose_one(world: World, each: Strike, rng: Random) -> None:
    if world.network.conns:
        conn = rng.choice(world.network.conns)
        world.network.lose(conn, notice=rng.random() * 0.05, late_notice=rng.random() * 0.05)


def _half_open(world: World, each: Strike, rng: Random) -> None:
    if world.network.conns:
        world.network.half_open(rng.choice(world.network.conns))


def _a_host(world: World, rng: Random) -> str:
    return rng.choice([agent.host for agent in world.agents()] or ["home"])


def _cut(world: World, each: Strike, rng: Random) -> None:
    world.network.cut(_a_host(world, rng), each.seconds, up=True, down=True)


def _one_way(world: World, each: Strike, rng: Random) -> None:
    up = rng.random() < 0.5
    world.network.cut(_a_host(world, rng), each.seconds, up=up, down=not up)


def _delay(world: World, each: Strike, rng: Random) -> None:
    until = world.clock.now + each.seconds
    world.network.delay[_a_host(world, rng)] = (rng.choice((0.02, 0.3)), until)


def _outlive(world: World, each: Strike, rng: Random) -> None:
    world.network.outlive = rng.choice((0.05, 1.0))
    world.later(each.seconds, lambda: setattr(world.network, "outlive", 0.0))
    _lose_one(world, each, rng)


# ---- the disk and the clock --------------------------------------------------------------------


def _disk_slow(world: World, each: Strike, rng: Random) -> None:
    world.sync_s = SLOW_SYNC_S
    world.later(each.seconds, lambda: setattr(world, "sync_s", world.plan.sync_s))


def _disk_full(world: World, each: Strike, rng: Random) -> None:
    world.journal.fill(rng.randint(0, BYTES_LEFT))
    world.later(each.seconds, lambda: setattr(world.journal, "capacity", None))


def _disk_sync(world: World, each: Strike, rng: Random) -> None:
    world.journal.break_next_commit()


def _clock_jump(world: World, each: Strike, rng: Random) -> None:
    world.clocks[_a_host(world, rng)].jump(rng.choice((3.0, 30.0, 3600.0)))


def _clock_skew(world: World, each: Strike, rng: Random) -> None:
    world.clocks[_a_host(world, rng)].run_at(rng.choice((0.8, 1.25)))


def _host_sleep(world: World, each: Strike, rng: Random) -> None:
    """A lid is closed: all of a machine stands still, and nothing reaches it."""
    host = _a_host(world, rng)
    seconds = each.seconds
    world.network.cut(host, seconds, up=True, down=True)
    asleep: list[Process | SimAgent | SimBroker] = []
    workers: list[SimWorker] = []
    for agent in (a for a in world.agents() if a.host == host):
        asleep.append(agent)
        workers += agent.workers.values()
    asleep += [worker.process for worker in workers]
    if host == "home":
        asleep += [world.root.process] if world.root is not None else []
        asleep += [world.broker] if world.broker is not None else []
    for each_one in asleep:
        each_one.freeze()
    if rng.random() < 0.5:  # its clock does not count that
        world.clocks[host].run_at(0.0)

    def wake() -> None:
        world.clocks[host].run_at(1.0)
        for each_one in asleep:
            each_one.thaw()
        for worker in workers:  # one that had been stopped goes on too, and is seen to
            _look_at(world, worker)

    world.later(seconds, wake)


_FAULTS: dict[Fault, Callable[[World, Strike, Random], None]] = {
    Fault.WORKER_KILL: _worker_kill, Fault.WORKER_TERM: _worker_term,
    Fault.WORKER_STOP: _worker_stop, Fault.WORKER_SLOW: _worker_slow,
    Fault.WORKER_GONE: _worker_gone, Fault.AGENT_KILL: _agent_kill, Fault.AGENT_STOP: _agent_stop,
    Fault.BROKER_KILL: _broker_kill, Fault.BROKER_DOWN: _broker_down,
    Fault.BROKER_STOP: _broker_stop, Fault.BROKER_TERM: _broker_term, Fault.ROOT_KILL: _root_kill,
    Fault.ROOT_STOP: _root_stop, Fault.ROOT_REORDERED: _root_reordered,
    Fault.ROOT_EDITED: _root_edited, Fault.LAUNCHER_KILL: _launcher_kill,
    Fault.EVERYTHING_KILL: _everything_kill, Fault.POWER_CUT: _everything_kill,
    Fault.NET_LOSS: _lose_one, Fault.NET_HALF_OPEN: _half_open, Fault.NET_CUT: _cut,
    Fault.NET_ONE_WAY: _one_way, Fault.NET_DELAY: _delay, Fault.NET_REORDER: _outlive,
    Fault.DISK_SLOW: _disk_slow, Fault.DISK_FULL: _disk_full, Fault.DISK_SYNC: _disk_sync,
    Fault.CLOCK_JUMP: _clock_jump, Fault.CLOCK_SKEW: _clock_skew, Fault.HOST_SLEEP: _host_sleep,
}  # fmt: skip
