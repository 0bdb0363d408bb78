"""What made-up tasks do to the world they run in; in a serial run, nothing.

The tasks are pickled by name and know no world: the one that runs now is here.
"""

from __future__ import annotations

from typing import Any, NoReturn

from scoop_ft.client.runtime import current

world: Any = None


class Died(Exception):
    """This task has not come to its end; in a serial run: it would have killed its process."""


def begin(key: str) -> int:
    """A task begins, for the how many-th time; 0 in a serial run."""
    runtime: Any = current()
    if runtime is None:
        return 0
    return int(world.began(runtime.link.process, key))


def root() -> int:
    """Return the how many-th root runs; 0 in a serial run."""
    return int(world.roots) if current() is not None else 0


def another() -> int:
    """Return another number each time; 0 in a serial run."""
    return 0 if current() is None else int(world.checks.new_number())


def work(seconds: float, *, deaf: bool = False) -> None:
    """Compute; ``deaf`` as extensions do that never let go of the interpreter's lock."""
    runtime: Any = current()
    if runtime is not None:
        runtime.link.help_soon()
        runtime.link.process.work(seconds, deaf=deaf)


def die(key: str, *, for_ever: bool) -> None:
    """Kill the process that runs this, always or the first time only."""
    runtime: Any = current()
    if runtime is None:
        if for_ever:
            raise Died(key)
        return
    if for_ever or world.first_death(key):
        world.dies(runtime.link.process)
        _wait_for_the_end(runtime.link.process)


def hang(key: str) -> NoReturn:
    """Compute without end; in a serial run nobody would wait for that."""
    runtime: Any = current()
    if runtime is None:
        raise Died(key)
    while True:
        work(0.5)


def _wait_for_the_end(process: Any) -> NoReturn:
    while True:
        process.block(None)


# ---- what a task keeps -------------------------------------------------------------------------


def _task() -> bytes:
    runtime: Any = current()
    return b"" if runtime is None else bytes(runtime.scope().task)


def saved() -> int:
    """Return how far the task that calls has got for sure, in any run of it."""
    return 0 if current() is None else int(world.checks.saved.get(_task(), 0))


def save(done: int) -> None:
    """The task that calls has saved its state, and that is synced."""
    if current() is not None:
        world.checks.saved[_task()] = max(saved(), done)


def loaded(done: int, least: int) -> None:
    """The task that calls has loaded its state."""
    if done < least:
        world.violated(32, f"{_task().hex()} goes on from {done}; {least} were saved and synced")


def make(key: str, number: int) -> int:
    """A durable step is made: another value each time."""
    return another()


def made(key: str, number: int, value: int) -> None:
    """The task that calls has the value of its durable step."""
    if current() is not None:
        before = world.checks.values.setdefault((_task(), key, number), value)
        if before != value:
            text = f"step {number} of {_task().hex()} had the value {before}, and has {value}"
            world.violated(33, text)


def wrong(text: str) -> None:
    """A task has seen what must not be."""
    if world is not None:
        world.wrong(text)
