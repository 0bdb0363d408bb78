"""Pickles functions and classes by value; the only file that imports cloudpickle.

Loaded when first needed, for cloudpickle takes 25 ms to import.  What it adds to cloudpickle is
that the same code gives the same bytes in every process: cloudpickle gives each local class a
random id, sets are walked in the order of addresses, and submodules in the order of their import.
It must not decide what goes by value: `references` does.
"""

from __future__ import annotations

import functools
import hashlib
import io
import operator
import sys
import types
import typing
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import cloudpickle  # type: ignore[import-untyped]
from cloudpickle import cloudpickle as internals

from scoop_ft import references, script
from scoop_ft.code.form import form

# How cloudpickle finds a class again that it has met under an id. Private to it: in a version
# without them classes keep random ids, and resume takes calls with local classes for new ones.
_ID_OF: Any = getattr(internals, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", None)
_CLASS_OF: Any = getattr(internals, "_DYNAMIC_CLASS_TRACKER_BY_ID", None)
_MAKE_CLASS: Any = getattr(internals, "_make_skeleton_class", None)
_CAN_NAME = _ID_OF is not None and _CLASS_OF is not None

_FEW: Final = 1000  # what is larger is not looked through: it costs at each submit
_DEEP: Final = 4  # of a function's state: its globals, a table among them, what is in that

_PREFIX = "scoop-ft:"
_PLACES = frozenset({
    "__file__", "__path__", "__doc__", "__annotations__", "__annotate__", "__annotate_func__",
    "__firstlineno__", "__static_attributes__",
})  # fmt: skip


class _Ordered:
    """Stands, in the constants of a function, for a frozenset, to be written in a fixed order."""

    def __init__(self, items: frozenset[Any]) -> None:
        self.items = items


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles what goes by name by name, and all else by value, the same in every process."""

    def __init__(
        self,
        file: BinaryIO,
        buffer_callback: Callable[[Any], Any] | None = None,
        unnamed: frozenset[int] = frozenset(),
        places: bool = True,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._places = places  # False: nothing that says where the code stands; cannot be loaded
        self._unnamed = unnamed  # ids of the classes whose names are just being worked out

    def reducer_override(self, obj: Any) -> Any:
        """Reduce one object, see `pickle.Pickler.reducer_override`."""
        kind = type(obj)
        if kind is types.CodeType:
            if not self._places:
                return bytes, (form(obj).digest,)
            return _reduce_code(self.dispatch_table[kind](obj))
        if kind is types.CellType and not self._places and _holds_set(obj):
            return types.CellType, (_order_sets(obj.cell_contents),)
        if kind is _Ordered:
            return frozenset, (sorted(map(_order_constants, obj.items), key=repr),)
        if kind is types.ModuleType and obj is script.module():
            return script.load_for_worker, ()
        if kind is typing.TypeVar:
            _name_type_variable(obj)
        if kind is functools.cached_property:  # before Python 3.12 it has a lock
            return _cached_property, (obj.func, obj.attrname)
        if not references.is_definition(obj):
            return NotImplemented
        reduced = references.reference(obj)
        if reduced is not None:
            return reduced
        _forget_dynamic_module(obj)
        if isinstance(obj, type):
            reduced = self._reduce_class(obj)
        elif kind is references.CACHED:
            return _cached, (obj.__wrapped__, *obj.cache_parameters().values())
        else:
            reduced = _reduce_function(super().reducer_override(obj))
        return reduced if self._places else _without_places(reduced)

    def _reduce_class(self, cls: type) -> Any:
        return _with_slots(cls, self._reduce_named_class(cls))

    def _reduce_named_class(self, cls: type) -> Any:
        if not _CAN_NAME:
            return super().reducer_override(cls)
        if id(cls) not in self._unnamed and self._places:
            if cls not in _ID_OF:
                self._name_class(cls)
            return super().reducer_override(cls)
        reduced = super().reducer_override(cls)
        if not isinstance(reduced, tuple):
            return reduced
        name = _ID_OF.get(cls)
        args = tuple("" if isinstance(arg, str) and arg == name else arg for arg in reduced[1])
        return (reduced[0], args, *reduced[2:])

    def _name_class(self, cls: type) -> None:
        """Name a class by its content.

        A counter would not do: two workers could give one number to different classes, and whoever
        receives both would take them for one.  Classes with equal content may be taken for one.
        """
        file = io.BytesIO()
        try:
            ByValuePickler(file, lambda _: True, self._unnamed | {id(cls)}).dump(cls)
        finally:
            random = _ID_OF.pop(cls, None)
            if random is not None:
                _CLASS_OF.pop(random, None)
        name = _PREFIX + hashlib.blake2b(file.getvalue(), digest_size=16).hexdigest()
        _ID_OF[cls] = name
        _CLASS_OF[name] = cls


def _with_slots(cls: type, reduced: Any) -> Any:
    """Have a class made with its slots; cloudpickle makes one whose objects have a dict.

    What such an object is pickled as could not be loaded where the class comes from.
    """
    slots = cls.__dict__.get("__slots__")
    if not slots or not isinstance(reduced, tuple) or reduced[0] is not _MAKE_CLASS:
        return reduced  # a named tuple has none, and must not be given them
    kind, name, bases, namespace, *rest = reduced[1]
    slots = slots if isinstance(slots, str) else tuple(slots)
    return (reduced[0], (kind, name, bases, {**namespace, "__slots__": slots}, *rest), *reduced[2:])


def dump_meaning(value: Any, separate: Callable[[Any], Any] | None = None) -> bytes:
    """Pickle what was pickled before, without file names, lines, docstrings and annotations.

    What the bytes are good for is to be compared: nobody can load them.
    """
    file = io.BytesIO()
    ByValuePickler(file, separate, places=False).dump(value)
    return file.getvalue()


def _cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    """Make a function with a cache again: an empty one, each process fills its own."""
    return functools.lru_cache(maxsize, typed)(function)


def _cached_property(func: Callable[[Any], Any], name: str | None) -> Any:
    made = functools.cached_property(func)
    made.attrname = name
    return made


def _without_places(reduced: Any) -> Any:
    """Take out of a reduced function or class what says nothing of what it does."""
    if not isinstance(reduced, tuple):
        return reduced
    return tuple(
        tuple(map(_without_keys, part)) if isinstance(part, tuple) else part for part in reduced
    )


def _without_keys(part: Any) -> Any:
    if type(part) is not dict:
        return part
    return {key: _order_sets(value) for key, value in part.items() if key not in _PLACES}


def _order_sets(value: Any, depth: int = 0) -> Any:
    """Replace sets, in what a function or class refers to, by what has a fixed order.

    In programs that we have not started their order is another one each time.
    """
    kind = type(value)
    if kind is set or kind is frozenset:
        return kind.__name__, _Ordered(frozenset(value))
    if kind not in (dict, list, tuple) or len(value) > _FEW or depth > _DEEP:
        return value
    parts = value.values() if kind is dict else value
    ordered = [_order_sets(part, depth + 1) for part in parts]
    if all(map(operator.is_, ordered, parts)):
        return value
    return dict(zip(value, ordered, strict=True)) if kind is dict else kind(ordered)


def _holds_set(cell: types.CellType) -> bool:
    try:
        return type(cell.cell_contents) in (set, frozenset)
    except ValueError:  # it is empty
        return False


def _name_type_variable(variable: Any) -> None:
    if _CAN_NAME and variable not in _ID_OF:
        name = f"{_PREFIX}{variable.__module__}.{variable!r}"
        _ID_OF[variable] = name
        _CLASS_OF.setdefault(name, variable)


def _forget_dynamic_module(definition: Any) -> None:
    """Tell cloudpickle that a module made by hand cannot be imported elsewhere."""
    module = sys.modules.get(getattr(definition, "__module__", None) or "")
    if (
        module is not None
        and getattr(module, "__spec__", None) is None
        and module.__name__ in sys.modules
    ):
        cloudpickle.register_pickle_by_value(module)


def _reduce_function(reduced: Any) -> Any:
    """Put the submodules a function uses in an order that does not depend on their import."""
    if isinstance(reduced, tuple) and len(reduced) > 2 and isinstance(reduced[2], tuple):
        submodules = reduced[2][-1].get("_cloudpickle_submodules")
        if isinstance(submodules, list):
            submodules.sort(key=lambda module: str(module.__name__))
    return reduced


def _reduce_code(reduced: Any) -> Any:
    make, args = reduced[:2]
    return make, tuple(_order_constants(a) if isinstance(a, tuple) else a for a in args)


def _order_constants(constant: Any) -> Any:
    """Replace frozensets in a code object's constants, at any depth."""
    if type(constant) is frozenset:
        return _Ordered(constant)
    if type(constant) is tuple:
        return tuple(map(_order_constants, constant))
    return constant
