"""Tasks that may not be repeated: begun once, they are not begun again in this run.

Such a task is given to a worker that has nothing to do (see `lanes`), and stays that worker's as
long as it may run it: while the worker is silent, stopped or cut off, it is waited for.  When the
worker's process has ended without a result the task is given up.  What a worker hands back unbegun
was not begun.  Decides; sends and records through the broker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..ids import task_id
from ..wire import messages as wire
from .peers import Peer
from .tasks import LEASED, Batch

if TYPE_CHECKING:
    from .core import Broker


def repeatable(batch: Batch, ranges: Iterable[wire.Range]) -> Iterator[wire.Range]:
    """Yield what of these tasks may be given to another worker while this one may have begun it."""
    for start, stop in ranges:
        if not batch.special:
            yield start, stop
            continue
        for a, z, options in batch.alike(start, stop):
            if options.repeatable:
                yield a, z


def give_up(b: Broker, worker: Peer, agent: Peer, m: wire.Gone) -> None:
    """A worker has ended: what it may have begun, and may not be repeated, is lost."""
    from .from_agent import how_it_ended, story

    how = how_it_ended(m)
    for batch, index in _held(b, worker):
        b.dispatcher.release(worker, batch, index, index + 1)
        begun = m.task == task_id(batch.id, index)
        more = {"once": True, "begun": begun}
        b.fail(batch, index, {**story(b, batch, index, 1, agent, m, how), **more})


def fail_taken_back(b: Broker, peer: Peer, batch: Batch, index: int, why: str) -> bool:
    """A task cannot go on where it runs: if it may not be repeated it is given up."""
    if batch.options_of(index).repeatable:
        return False
    from .from_agent import story

    gone = wire.Gone(0, peer.session, peer.pid, 0, 0, b"", "")
    b.dispatcher.take_away(peer, batch, index, index + 1)
    more = {"once": True, "taken_back": why}
    b.fail(batch, index, {**story(b, batch, index, 1, peer, gone, why), **more})
    return True


def waits_for(b: Broker) -> str:
    """Say which such tasks wait for workers that cannot be reached; empty when none does."""
    lost = [p for p in b.peers.values() if p.load and (not p.connected or p.suspended)]
    hosts = [peer.host for peer in lost for _ in _held(b, peer)]
    if not hosts:
        return ""
    tasks = f"{len(hosts):,} {'task' if len(hosts) == 1 else 'tasks'} with repeatable=False"
    return f"{tasks} with a worker that is stopped or cannot be reached, on {hosts[0]}"


def _held(b: Broker, worker: Peer) -> list[tuple[Batch, int]]:
    """Return the tasks of this kind that a worker has."""
    found = []
    for name, start, stop in worker.held():
        batch = b.book.batches.get(name)
        if batch is not None and batch.special:
            found += [
                (batch, index)
                for index in range(start, stop)
                if batch.state[index] == LEASED and not batch.options_of(index).repeatable
            ]
    return found
