"""What a call of joblib's is known by where the bytes that travel cannot stand for it.

scikit-learn (1.9 and later) gives each call a context with the time and a random number of the
fit that it belongs to, for progress bars and the like.  Its place in the fit is what it means.
A large array travels one way or another; what is in it is what it means.
Nothing that travels to a worker is changed here.
"""

from __future__ import annotations

import copyreg
import sys
import threading
from collections.abc import Sequence
from typing import Any

from .ids import digest
from .joblib_large import LARGE_BYTES
from .pickling import meaning_around

_HOME = "sklearn.callback._callback_context"
_state = threading.local()


def key_of(batch: Any, large: Sequence[bytes] = ()) -> str | None:
    """Return what stands for the arguments of a call; None: they stand for themselves.

    Parameters
    ----------
    batch : callable
        Joblib's.
    large : sequence of bytes
        The digests of its large buffers.
    """
    context = getattr(sys.modules.get(_HOME), "CallbackContext", None)
    if context is None and not large:
        return None
    if context is not None:
        copyreg.pickle(context, _reduce)
    _state.met = 0
    try:
        meaning, _ = meaning_around(batch, LARGE_BYTES)
    except Exception:  # noqa: BLE001 - it is `submit` that says what cannot be sent
        return None
    finally:
        met, _state.met = _state.met, None
    return digest(meaning + b"".join(large)).hex() if met or large else None


def _reduce(context: Any) -> Any:
    if getattr(_state, "met", None) is None:
        return context.__reduce_ex__(5)
    _state.met += 1
    return str, (f"{context.estimator_name} {context.task_name} {context.task_id}",)
