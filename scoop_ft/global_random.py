"""The generators that all code of a process shares: `random`'s, and numpy's legacy one.

Seeds them, says in what state they are, and puts them back.  numpy is never imported here: its
generator follows as soon as somebody has imported it.  Which numbers to seed with is decided in
`scoop_ft.randomness`.  Nothing here draws a number.
"""

from __future__ import annotations

import random
import sys
from types import ModuleType
from typing import Any, Final, NamedTuple

NUMPY: Final = "numpy.random"
WORD_BITS: Final = 32

_seeded_with: int | None = None  # what numpy's generator gets when it is imported


class State(NamedTuple):
    """Both generators, in types that any Python unpickles."""

    seeded_with: int | None
    python: tuple[Any, ...]
    numpy: dict[str, Any] | None  # None: it was not imported


def seed(number: int) -> None:
    """Seed both generators, as ``random.seed(number)`` and ``numpy.random.seed(number)`` do.

    A number too large for numpy is given to it as a list of 32-bit words, the lowest first.
    """
    global _seeded_with
    _seeded_with = number
    random.seed(number)
    numpy_random = _imported()
    if numpy_random is not None:
        numpy_random.seed(_for_numpy(number))


def state() -> State:
    """Return in what state the generators are."""
    numpy_random = _imported()
    legacy = None
    if numpy_random is not None:
        legacy = numpy_random.get_state(legacy=False)
        if "key" in legacy["state"]:  # an array: numpy's own pickles change with its versions
            legacy["state"] = {**legacy["state"], "key": legacy["state"]["key"].tobytes()}
    return State(_seeded_with, random.getstate(), legacy)


def restore(state: State) -> None:
    """Put the generators back into a state."""
    global _seeded_with
    _seeded_with = state.seeded_with
    random.setstate(state.python)
    numpy_random = _imported()
    if numpy_random is None:
        return
    if state.numpy is not None:
        numpy_random.set_state(_with_array(state.numpy))
    elif state.seeded_with is not None:
        numpy_random.seed(_for_numpy(state.seeded_with))


def follow_numpy() -> None:
    """From now on seed numpy's generator, too, when it is imported."""
    if NUMPY not in sys.modules:
        sys.meta_path.insert(0, _Watcher())


def _imported() -> ModuleType | None:
    """Return numpy's module, if it is there and whole."""
    found = sys.modules.get(NUMPY)
    return found if found is not None and hasattr(found, "seed") else None


def _for_numpy(number: int) -> int | list[int]:
    if number < 1 << WORD_BITS:
        return number
    words = range(0, number.bit_length(), WORD_BITS)
    return [number >> at & 0xFFFFFFFF for at in words]


def _with_array(legacy: dict[str, Any]) -> dict[str, Any]:
    if "key" not in legacy["state"]:
        return legacy
    numpy = sys.modules["numpy"]
    key = numpy.frombuffer(legacy["state"]["key"], dtype=numpy.uint32)
    return {**legacy, "state": {**legacy["state"], "key": key}}


class _Watcher:
    """A finder that finds nothing itself: it sees when numpy's generator is being imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Let the others find it, and seed once its code has run."""
        if name != NUMPY:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _seed_after(spec.loader)
                return spec
        return None


def _seed_after(loader: Any) -> None:
    """Let a loader seed, once, what it has just loaded."""
    load = loader.exec_module

    def load_and_seed(module: ModuleType) -> None:
        del loader.exec_module  # the class's own is there again
        load(module)
        if _seeded_with is not None:
            module.seed(_for_numpy(_seeded_with))

    loader.exec_module = load_and_seed
