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

NumpyState = int | dict[str, Any] | None  # a seed, or what its `get_state` says; None: as it comes


class State(NamedTuple):
    """What both generators are at, in types that any Python unpickles."""

    python: tuple[Any, ...]
    numpy: NumpyState


_for_later: NumpyState = None  # what numpy's generator gets when it is imported


def seed(number: int) -> None:
    """Seed both generators, as ``random.seed(number)`` and ``numpy.random.seed(number)`` do.

    A number too large for numpy is given to it as a list of 32-bit words, the lowest first.
    """
    random.seed(number)
    _set_numpy(number)


def state() -> State:
    """Return in what state the generators are."""
    numpy_random = _imported()
    if numpy_random is None:
        return State(random.getstate(), _for_later)
    found: dict[str, Any] = numpy_random.get_state(legacy=False)
    inner = found["state"]
    if "key" in inner:  # an array: how numpy pickles it changes with numpy
        found["state"] = {**inner, "key": inner["key"].astype("<u4").tobytes()}
    return State(random.getstate(), found)


def restore(state: State) -> None:
    """Put the generators back into a state."""
    random.setstate(state.python)
    _set_numpy(state.numpy)


def follow_numpy() -> None:
    """From now on let numpy's generator follow when it is imported."""
    if NUMPY not in sys.modules:
        sys.meta_path.insert(0, _Watcher())


def _imported() -> ModuleType | None:
    """Return numpy's module, if it is there and whole."""
    found = sys.modules.get(NUMPY)
    return found if found is not None and hasattr(found, "seed") else None


def _set_numpy(wanted: NumpyState) -> None:
    """Bring numpy's generator into a state; later, if it is not there."""
    global _for_later
    numpy_random = _imported()
    if numpy_random is None:
        _for_later = wanted
    elif isinstance(wanted, int):
        numpy_random.seed(_for_numpy(wanted))
    elif wanted is not None:
        numpy_random.set_state(_with_array(wanted))


def _for_numpy(number: int) -> int | list[int]:
    if number < 1 << WORD_BITS:
        return number
    return [number >> at & 0xFFFFFFFF for at in range(0, number.bit_length(), WORD_BITS)]


def _with_array(found: dict[str, Any]) -> dict[str, Any]:
    inner = found["state"]
    if "key" not in inner:
        return found
    key = sys.modules["numpy"].frombuffer(inner["key"], dtype="<u4")
    return {**found, "state": {**inner, "key": key}}


class _Watcher:
    """A finder that finds nothing itself: it sees when numpy's generator is being imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Let the others find it, and set its state once its code has run."""
        if name != NUMPY:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _set_after_loading(spec.loader)
                return spec
        return None


def _set_after_loading(loader: Any) -> None:
    """Let a loader set, once, the state of what it has just loaded."""
    load = loader.exec_module

    def load_and_set(module: ModuleType) -> None:
        del loader.exec_module  # the class's own is there again
        load(module)
        _set_numpy(_for_later)

    loader.exec_module = load_and_set
