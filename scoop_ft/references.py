"""Decides whether a function or class travels by name or by value.

By name: what a worker finds under the same name in a module that it can import, or in the script.
By value: everything else, lambdas, closures, local classes, and what the script binds only in the
root.  The decision depends on the code alone, so that the same program always makes the same
bytes.  Nothing here pickles.
"""

from __future__ import annotations

import copyreg
import functools
import sys
import types
from importlib import import_module
from typing import Any, Final

from scoop_ft import script
from scoop_ft.optioned import plain

# What a pickler's reducer_override returns for something that travels by name.
Reduced = Any
_PLAIN: Final = NotImplemented  # pickle's own way: module and qualified name

CACHED: Final = type(functools.lru_cache(plain))  # a function with its results; pickle knows none
DEFINITIONS: Final = (types.FunctionType, type, CACHED)

# Their names are not where they say: pickle knows these three by heart.
_SINGLETON_TYPES: Final = (type(None), type(Ellipsis), type(NotImplemented))

# id -> (object, reduced, namespace, name). Only of things by name: they live with their modules.
MOST: Final = 4_096  # classes of a kind of their own that are known; there may be ever new ones
_known: dict[int, tuple[Any, Reduced, dict[str, Any], str]] = {}


def is_definition(value: object) -> bool:
    """Tell whether this is a function or a class, which may be known by a name."""
    return isinstance(value, DEFINITIONS)


def goes_by_name(value: object) -> bool:
    """Tell whether this is a function or a class, and travels by name."""
    return is_definition(value) and reference(value) is not None


def reference(definition: Any) -> Reduced | None:
    """Return how a function or class is pickled by name; None: it must go by value."""
    entry = _known.get(id(definition))
    if entry is not None:
        _, reduced, namespace, name = entry
        if namespace.get(name) is definition:
            return reduced
        del _known[id(definition)]  # the name was given to another meanwhile
    if type(definition) in copyreg.dispatch_table:
        return _of_its_kind(definition)  # whoever made this kind of class says how it travels
    return _find(definition)


def _of_its_kind(definition: Any) -> Reduced:
    if definition.__module__ in script.MODULE_NAMES:
        return _PLAIN
    from scoop_ft import anew  # which pickles, and so needs us

    found = anew.reduced(definition)
    if found is None:
        return anew.call_of(definition)
    name, namespace = definition.__qualname__, vars(sys.modules.get(definition.__module__, types))
    if namespace.get(name) is definition and len(_known) < MOST:
        _known[id(definition)] = (definition, found, namespace, name)
    return found


def forget_script() -> None:
    """The script is known no more: what was found in it is looked for anew."""
    for key, (_, reduced, _, _) in list(_known.items()):
        if reduced is not _PLAIN:
            del _known[key]


def _find(definition: Any) -> Reduced | None:
    if any(definition is kind for kind in _SINGLETON_TYPES):
        return _PLAIN
    module_name = getattr(definition, "__module__", None)
    name = getattr(definition, "__qualname__", None)
    if not isinstance(module_name, str) or not isinstance(name, str) or "<" in name:
        return None
    reduced: Reduced = _PLAIN
    if module_name in script.MODULE_NAMES:
        module = script.module()
        if name.split(".")[0] not in script.shared_names():
            return None
        reduced = script.from_script, (name,)
    else:
        module = sys.modules.get(module_name)
        if getattr(module, "__spec__", None) is None:
            return None  # made by hand: no worker could import it
    bound = _bound(module, name)
    if module is None or plain(bound) is not definition:
        return None
    if bound is not definition and reduced is _PLAIN:
        return _named, (module_name, name)  # decorated with options: pickle would not find itself
    if "." not in name:
        _known[id(definition)] = (definition, reduced, module.__dict__, name)
    return reduced


def _bound(module: types.ModuleType | None, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _named(module: str, name: str) -> Any:
    """Return what stands under a name; pickles of functions that are decorated call this."""
    return plain(_bound(import_module(module), name))
