"""What a parent keeps at the broker: checkpoints of its state, and the values of durable steps.

`checkpoint` and `futures.once` stand on this.  Run again, anywhere, a parent finds both.  What is
kept is a pickle that nobody but the parent loads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import UnpicklableError
from ..ids import digest
from ..payload import Packer, function_name
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
        How many durable steps it has made, those before its checkpoint included.
    saved_at : float
        When it last saved its state, or began; by the monotonic clock.
    saves : int
        How often it has saved its state.
    """

    __slots__ = ("loaded_at", "receipt", "saved_at", "saves", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self.saves = 0
        self.saved_at = time.monotonic()
        self.loaded_at: tuple[int, int] | None = None  # its first `load`: child and step numbers
        self.receipt = Receipt()
        self.receipt.acknowledged = True


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

    With the first call the parent goes on where it had saved it: what it submits from here on is
    numbered as if it had not been run again.
    """
    scope = runtime.scope()
    mine = keeper(scope)
    runtime.tell(scope)
    answer, frames = runtime.fetch(scope, STATE, b"")
    if mine.loaded_at is None:
        mine.loaded_at = (scope.next, mine.steps)
        mine.saved_at = time.monotonic()
        if answer.found:
            mine.steps = max(mine.steps, answer.next_step)
            scope.go_on_at(answer.next)
    return (_value(frames),) if answer.found else None


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
    frames = _pickled(state, "the state given to checkpoint.save")
    runtime.tell(scope)
    mine.receipt = receipt = Receipt()
    with scope.lock, runtime.link.state:
        session = runtime.session
        first, first_step = mine.loaded_at or (scope.next, mine.steps)
        message = wire.Checkpoint(
            n=session.number(),
            parent=scope.task,
            first=min(first, scope.next),
            next=scope.next,
            first_step=min(first_step, mine.steps),
            next_step=mine.steps,
            upto=session.last_batch(),
            wanted=scope.waits_for(),
            waits=wait or leaving,
            buffers=[len(frame) for frame in frames[1:]],
        )
        session.keep(message, frames, receipt)
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
    answer, frames = runtime.fetch(scope, number, call)
    if answer.found:
        runtime.tell(scope)
        with scope.lock:
            mine.steps = max(mine.steps, answer.next_step)
            scope.go_on_at(answer.next)
        return _value(frames)
    value = func(*args, **kwargs)
    frames = _pickled(value, f"the value of the durable step {name}")
    runtime.tell(scope)
    receipt = Receipt()
    with scope.lock, runtime.link.state:
        session = runtime.session
        sizes = [len(frame) for frame in frames[1:]]
        message = wire.Step(
            session.number(), scope.task, number, call, name, scope.next, mine.steps, sizes
        )
        session.keep(message, frames, receipt)
    runtime.link.wake()
    runtime.wait(lambda: receipt.acknowledged, (), None)
    return value


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
        raise UnpicklableError(str(error).replace("the result of ", "", 1)) from error.__cause__
    packed = packer.take()
    return [packed.payload, *packed.frames]


def _value(frames: Frames) -> Any:
    return unpickle(frames[0], [memoryview(frame).toreadonly() for frame in frames[1:]])
