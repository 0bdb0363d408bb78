"""Classes that are pickled as the call that makes them: DEAP's, and others of `copyreg`.

Left to pickle, that call would be part of each object's pickle, and be made for each object: one
more class of that name each time, which takes the place of the one before in its module.  Here the
call is pickled once for each class and goes along as bytes; where the same class is there already,
it is that one.  Decides nothing about other classes.
"""

from __future__ import annotations

import copyreg
import io
import sys
from typing import Any, Final

from scoop_ft.pickling import PlainPickler, load_small

CALLS: Final = 1_024  # remembered at a time; a program that makes classes on and on has more

# The bytes of a call -> (the class, its module's names; of one that is not there: just its own)
_made: dict[bytes, tuple[Any, dict[str, Any]]] = {}


def reduced(kind: Any) -> Any:
    """Return how a class is pickled whose kind is in `copyreg`; None: as that says, call by call.

    The bytes are the same whatever its module has under its name by now.
    """
    call = call_of(kind)
    if not (isinstance(call, tuple) and len(call) == 2):  # more than a call
        return None
    file = io.BytesIO()
    try:
        PlainPickler(file, protocol=5).dump((kind.__module__, *call))
    except RecursionError:
        raise  # it is in its own call: that way, too, there would be no end
    except Exception:  # noqa: BLE001 - not by name, or not at all: that is said of the whole object
        return None
    return made, (kind.__qualname__, file.getvalue())


def call_of(kind: Any) -> Any:
    """Return what `copyreg` says of a class, without its address: the call is another one with it.

    DEAP's ephemeral constants have it among the arguments, to be found again in their own process.
    """
    call = copyreg.dispatch_table[type(kind)](kind)
    if not (isinstance(call, tuple) and len(call) == 2 and type(call[1]) is tuple):
        return call
    maker, args = call
    here = id(kind)
    return maker, tuple(0 if type(arg) is int and arg == here else arg for arg in args)


def made(name: str, blob: bytes) -> Any:
    """Return the class that a call makes: the one that is there, if it is just that."""
    known = _made.get(blob)
    if known is not None and known[1].get(name) is known[0]:
        return known[0]
    module, maker, args = load_small(blob)
    names = vars(sys.modules[module]) if module in sys.modules else {}
    kind = names.get(name)
    if not _is_made_by(kind, blob):
        kind = maker(*args)
        names = vars(sys.modules[module]) if module in sys.modules else {}
    if names.get(name) is not kind:
        names = {name: kind}
    if len(_made) >= CALLS:
        _made.clear()
    _made[blob] = kind, names
    return kind


def _is_made_by(kind: Any, blob: bytes) -> bool:
    """Would this call make just this class?  Bytes tell: users' values may have any `==`."""
    if not isinstance(kind, type) or type(kind) not in copyreg.dispatch_table:
        return False
    try:
        found = reduced(kind)
    except Exception:  # noqa: BLE001 - users may do anything: it is not known to be it
        return False
    return found is not None and bool(found[1][1] == blob)
