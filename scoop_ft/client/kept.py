"""What a parent keeps at the broker: checkpoints of its state, and the values of durable steps.

`checkpoint` and `futures.once` stand on this.  Run again, anywhere, a parent finds both.  What is
kept is a pickle that nobody but the parent loads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import randomness
from ..errors import UnpicklableError
from ..functions import function_name
from ..ids import digest
from ..payload import Packer
from ..pickling import load as unpickle
from ..wire import messages as wire
from .runtime import Runtime
from .scopes import Scope, define
from .session import Frames, Receipt

STATE = -1  # the number under which a checkpoint is asked for


class Keeper:
    """What one run of a parent knows of what it keeps.

    Attributes
    ----------
    steps : int
        How many durable steps it has passed, those before its checkpoint included.
    taken : list of (start, stop)
        The numbers of the recorded steps that it has had, or made: each is given once.
    saved_at : float
        When it last saved its state, or began; by the monotonic clock.
    saves : int
        How often it has saved its state.
    """

    __slots__ = ("first", "receipt", "saved_at", "saves", "since_load", "steps", "taken")

    def __init__(self) -> None:
        self.steps = 0
        self.taken: list[tuple[int, int]] = []
        self.since_load: list[tuple[int, int]] = []  # of these, what a checkpoint stands for
        self.saves = 0
        self.saved_at = time.monotonic()
        self.first: int | None = None  # the next ordinal when it first called `load`
        self.receipt = Receipt()
        self.receipt.acknowledged = True

    def take(self, number: int) -> None:
        """The step recorded under this number is this run's."""
        self.taken = _with(self.taken, number)
        if self.first is not None:
            self.since_load = _with(self.since_load, number)


def _with(ranges: list[tuple[int, int]], number: int) -> list[tuple[int, int]]:
    """Return growing ranges with one number more."""
    if ranges and ranges[-1][1] == number:  # as nearly always
        return [*ranges[:-1], (ranges[-1][0], number + 1)]
    merged: list[tuple[int, int]] = []
    for start, stop in sorted([*ranges, (number, number + 1)]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def keeper(scope: Scope) -> Keeper:
    """Return what keeps for a parent."""
    with scope.lock:
        if scope.keeper is None:
            scope.keeper = Keeper()
        found: Keeper = scope.keeper
        return found


# ---- checkpoints ---------------------------------------------------------------------------


def load(runtime: Runtime) -> tuple[Any] | None:
    """Return the parent's last state, in a tuple of its own; None when it has saved none.

    Its random generators, and those that all code shares where they are its own, go on from there.
    With the first call the parent goes on where it had saved it: what it submits from here on is
    numbered as if it had not been run again.
    """
    scope = runtime.scope()
    mine = keeper(scope)
    runtime.tell(scope)
    answer, frames = runtime.fetch(scope, STATE, b"", [])
    if mine.first is None:
        mine.first = scope.next
        mine.saved_at = time.monotonic()
        if answer.found:
            mine.steps = max(mine.steps, answer.next_step)
            scope.go_on_at(answer.next)
    if not answer.found:
        return None
    generators, state = _value(frames)
    randomness.restore(generators)
    return (state,)


def save(runtime: Runtime, state: Any, every_s: float, wait: bool) -> bool:
    """Save the parent's state, unless it is too early; return whether it was done.

    Raises
    ------
    UnpicklableError
        The state cannot be pickled.
    """
    scope = runtime.scope()
    mine = keeper(scope)
    leaving = runtime.is_leaving()
    if not (wait or leaving):
        early = time.monotonic() - mine.saved_at < every_s
        if early or not mine.receipt.acknowledged:
            return False
    frames = _pickled((randomness.capture(), state), "the state given to checkpoint.save")
    runtime.tell(scope)
    mine.receipt = receipt = Receipt()
    with scope.lock, runtime.link.state:
        if not scope.alive:
            return False  # another attempt of this task saves its own
        session = runtime.session
        first = scope.next if mine.first is None else mine.first
        message = wire.Checkpoint(
            n=session.number(),
            parent=scope.task,
            first=first,
            next=scope.next,
            next_step=mine.steps,
            steps=mine.since_load,
            upto=session.last_batch(),
            wanted=scope.waits_for(),
            waits=wait or leaving,
            buffers=[len(frame) for frame in frames[1:]],
        )
        session.saved(message, frames, receipt)
        mine.since_load = []
    mine.saved_at = time.monotonic()
    mine.saves += 1
    runtime.link.wake()
    if wait or leaving:
        runtime.wait(lambda: receipt.acknowledged, (), None)
    return True


# ---- durable steps -------------------------------------------------------------------------


def once(
    runtime: Runtime, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a function here, or return what it had returned when this parent was run before."""
    scope = runtime.scope()
    mine = keeper(scope)
    name = function_name(func)
    call = _call(func, args, kwargs, name)
    with scope.lock:
        number = mine.steps
        mine.steps += 1
    runtime.tell(scope)
    answer, frames = _fetch_step(runtime, scope, number, call)
    if answer.found:
        with scope.lock:
            mine.steps = max(mine.steps, answer.next_step)
            scope.go_on_at(answer.next)
        return _value(frames)
    with randomness.apart(answer.step):
        value = func(*args, **kwargs)
    frames = _pickled(value, f"the value of the durable step {name}")
    receipt = Receipt()
    with scope.lock, runtime.link.state:
        session = runtime.session
        sizes = [len(frame) for frame in frames[1:]]
        message = wire.Step(
            session.number(), scope.task, answer.step, call, name, scope.next, mine.steps, sizes
        )
        if scope.alive:  # else another attempt of this task has its own
            session.keep(message, frames, receipt)
    runtime.link.wake()
    runtime.wait(lambda: receipt.acknowledged, (), None)
    return value


def _fetch_step(
    runtime: Runtime, scope: Scope, number: int, call: bytes
) -> tuple[wire.Fetched, Frames]:
    """Ask for a step; what another thread was given meanwhile is not given again."""
    mine = keeper(scope)
    while True:
        answer, frames = runtime.fetch(scope, number, call, mine.taken)
        with scope.lock:
            if not any(start <= answer.step < stop for start, stop in mine.taken):
                mine.take(answer.step)
                return answer, frames


def _call(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> bytes:
    """Name a call by its content."""
    packer = Packer()
    packer.add_call(args, kwargs, name)
    packed = packer.take()
    parts = [define(func).digest, packed.payload, *packed.frames]
    return digest(b"".join(map(bytes, parts)))


# ---- values as frames ----------------------------------------------------------------------


def _pickled(value: Any, what: str) -> Frames:
    """Pickle a value: its large buffers are copied once, for the parent goes on changing them."""
    packer = Packer()
    try:
        packer.add(value, what)
    except UnpicklableError as error:
        text = str(error).replace("it[1]", "state", 1)
        text = text.replace("cannot be sent to another process", "cannot be kept", 1)
        raise UnpicklableError(text) from error.__cause__
    packed = packer.take()
    return [packed.payload, *packed.frames]


def _value(frames: Frames) -> Any:
    return unpickle(frames[0], [memoryview(frame).toreadonly() for frame in frames[1:]])
