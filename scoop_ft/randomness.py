"""Which random numbers who gets: generators made of the run's seed and a task's place.

A task's place is its lineage (`scoop_ft.ids`): the same on whatever worker, in whatever order and
attempt.  No sockets; the broker knows of none of this.  The generators that all code of a process
shares are handled in `scoop_ft.global_random`, for each task in `scoop_ft.worker.seeding`.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from . import global_random, script
from .client import runtime as runtimes
from .client import serial
from .ids import ROOT_LINEAGE, digest

if TYPE_CHECKING:
    import numpy

SEED_BYTES: Final = 8
SERIAL_SEED: Final = 0  # a script that is started with plain ``python`` has no run to draw one
PYTHON: Final = b"scoop-ft random"
NUMPY: Final = b"scoop-ft numpy"
GLOBALS: Final = b"scoop-ft globals"


def number(seed: int, lineage: bytes, purpose: bytes) -> int:
    """Return the 256-bit number from which a task's generator for some purpose starts."""
    content = seed.to_bytes(SEED_BYTES, "little") + lineage
    made = hashlib.blake2b(content, digest_size=32, person=purpose).digest()
    return int.from_bytes(made, "little")


class Generators:
    """The generators of one task, or of the script; made when they are asked for."""

    __slots__ = ("lineage", "numpy", "python", "seed")

    def __init__(self, seed: int, lineage: bytes) -> None:
        self.seed = seed
        self.lineage = lineage
        self.python: random.Random | None = None
        self.numpy: numpy.random.Generator | None = None

    def make_python(self) -> random.Random:
        """Return the `random.Random`."""
        if self.python is None:
            self.python = random.Random(number(self.seed, self.lineage, PYTHON))
        return self.python

    def make_numpy(self) -> numpy.random.Generator:
        """Return the numpy generator; imports numpy."""
        if self.numpy is None:
            from numpy.random import PCG64, Generator

            self.numpy = Generator(PCG64(number(self.seed, self.lineage, NUMPY)))
        return self.numpy

    def start_as(self, lineage: bytes) -> None:
        """Start all over, those that somebody holds included, as if the place were another one."""
        fresh = Generators(self.seed, lineage)
        self.lineage = lineage
        if self.python is not None:
            self.python.setstate(fresh.make_python().getstate())
        if self.numpy is not None:
            self.numpy.bit_generator.state = fresh.make_numpy().bit_generator.state


class _Parent(Protocol):
    """Whoever may submit: a task, or the script."""

    generators: Any

    @property
    def lineage(self) -> bytes: ...


# ---- for users -----------------------------------------------------------------------------------


def rng() -> random.Random:
    """Return the random generator of the task that calls, or of the script.

    It is made of the run's seed and the task's place among its siblings, and gives the same numbers
    wherever, in whatever order and however often the task is run.  Asked again, the same task gets
    the same generator, which goes on.

    Raises
    ------
    RuntimeError
        In a thread or process that a task has started.
    MissingMainGuard
        At the top level of a script: each worker imports it, as part of some task.

    Examples
    --------
    >>> rng() is rng()
    True
    """
    return _calling("rng").make_python()


def numpy_rng() -> numpy.random.Generator:
    """Return the numpy generator (PCG64) of the task that calls, or of the script.

    As `rng`; numpy must be installed where the task runs.

    Examples
    --------
    >>> numpy_rng().normal(size=3).shape
    (3,)
    """
    return _calling("numpy_rng").make_numpy()


# ---- for checkpoints -----------------------------------------------------------------------------


class Captured(NamedTuple):
    """The generators of a task or of the script, in types that any Python unpickles."""

    python: tuple[Any, ...] | None  # None: not asked for
    numpy: dict[str, Any] | None
    shared: tuple[Any, ...] | None  # the global ones, where they are the caller's own


def capture() -> tuple[Any, ...]:
    """Return the state of the generators of the task that calls, or of the script.

    What its `rng` and `numpy_rng` are at, if it has asked for them; and the global generators where
    nobody else uses them: in the script, and in tasks of a run that seeds them for each task.
    """
    parent, seeded = _parent("capture")
    own: Generators | None = parent.generators
    python = None if own is None or own.python is None else _packed(own.python.getstate())
    numpy_ = None if own is None or own.numpy is None else dict(own.numpy.bit_generator.state)
    shared = None
    if _owns_globals(parent, seeded):
        found = global_random.state()
        shared = _packed(found.python), found.numpy
    return tuple(Captured(python, numpy_, shared))


def restore(captured: tuple[Any, ...]) -> None:
    """Put the generators of the task that calls, or of the script, into a captured state."""
    state = Captured(*captured)
    parent, seeded = _parent("restore")
    own = _generators(parent)
    if state.python is not None:
        own.make_python().setstate(_unpacked(state.python))
    if state.numpy is not None:
        own.make_numpy().bit_generator.state = state.numpy
    if state.shared is not None and _owns_globals(parent, seeded):
        python, numpy_ = state.shared
        global_random.restore(global_random.State(_unpacked(python), numpy_))


def _packed(state: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a state of `random.Random` with its 625 words as bytes, which are smaller."""
    version, words, gauss = state
    return version, struct.pack(f"<{len(words)}I", *words), gauss


def _unpacked(packed: tuple[Any, ...]) -> tuple[Any, ...]:
    version, words, gauss = packed
    return version, struct.unpack(f"<{len(words) // 4}I", words), gauss


# ---- for durable steps ---------------------------------------------------------------------------


@contextmanager
def apart(step: int) -> Iterator[None]:
    """Let the durable step of this number draw from streams of its own.

    Run again, its parent does not make the step: what comes after it must not depend on its draws.
    """
    if runtimes.forked:
        yield  # such a process has no generators
        return
    parent, seeded = _parent("rng")
    own, before = _generators(parent), Captured(*capture())
    place = own.lineage
    own.start_as(digest(b"step" + place + step.to_bytes(SEED_BYTES, "little")))
    if runtimes.current() is not None and _owns_globals(parent, seeded):
        global_random.seed(number(own.seed, own.lineage, GLOBALS))
    try:
        yield
    finally:
        own.lineage = place
        own.python = own.python if before.python is not None else None
        own.numpy = own.numpy if before.numpy is not None else None
        restore(tuple(before))


def _owns_globals(parent: _Parent, seeded: bool) -> bool:
    return seeded or parent.lineage == ROOT_LINEAGE


# ---- who calls -----------------------------------------------------------------------------------


def _calling(name: str) -> Generators:
    parent, _ = _parent(name)
    return parent.generators or _generators(parent)


def _generators(parent: _Parent) -> Generators:
    if parent.generators is None:
        runtime = runtimes.current()
        seed = SERIAL_SEED if runtime is None else runtime.session.seed
        parent.generators = Generators(seed, parent.lineage)
    found: Generators = parent.generators
    return found


def _parent(name: str) -> tuple[_Parent, bool]:
    """Return the task that calls, or the script; and whether tasks have the global generators."""
    if script.importing_main:
        script.refuse_while_importing(
            f"calls scoop_ft.{name}() while it is imported",
            "call it in the function that draws, since each worker imports the script",
        )
    runtime = runtimes.current()
    if runtime is not None:
        try:
            return runtime.scope(), runtime.session.seeded
        except RuntimeError:
            raise RuntimeError(
                f"scoop_ft.{name}() can be called in the thread that runs the task only: call it "
                "there, and hand to the threads what they need"
            ) from None
    if runtimes.forked:
        raise RuntimeError(
            f"scoop_ft.{name}() has no numbers for a process that a task or the script has forked: "
            "draw a seed before, and make a generator of it there"
        )
    return serial.place(), False
