"""The digest of what a function means: its code and all of the user's own code that it refers to.

Covered: code, constants, defaults, closures, and, through the names that the code looks up, the
functions, classes and values of the user's own modules, theirs included.  Of values that may change
while the program runs what the source says of them counts.  Not covered: file names, lines,
comments, formatting, docstrings, annotations, and whatever is installed or part of Python.
The digest is the same in the root, in workers and in a later process of the same minor version of
Python.  Looks only; calls nothing of the user's.
"""

from __future__ import annotations

import enum
import functools
import inspect
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from .. import references, script
from ..ids import digest
from ..optioned import plain
from . import source
from .form import constant, form
from .own import is_own

REBOUND: Final = "rebound"  # stands for what the program changes at times nobody knows
PYTHON: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"

_SIMPLE: Final = (
    type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented), range,
)  # fmt: skip
_ATOMS: Final = (tuple, frozenset)
_DEFINED: Final = (type, types.ModuleType, types.MethodDescriptorType, enum.Enum)
_BOUND: Final = (types.MethodType, types.BuiltinFunctionType)


class Meaning(NamedTuple):
    """What a function means.

    Attributes
    ----------
    code : bytes
        The digest, 16 bytes.
    sources : list of (str, int, int)
        The files that were looked at: path, time of change in nanoseconds, size.
    """

    code: bytes
    sources: list[tuple[str, int, int]]


def meaning(func: Callable[..., Any]) -> Meaning:
    """Return what a function means; once for all closures of one code that differ in values."""
    code = getattr(func, "__code__", None)
    if not isinstance(code, types.CodeType) or not _differs_in_values(func):
        return _work_out(func)
    found = _closures.get(id(code))
    if found is None:
        if len(_closures) >= _KEPT:
            _closures.clear()
        found = _closures[id(code)] = (code, _work_out(func))
    return found[1]


_closures: dict[int, tuple[types.CodeType, Meaning]] = {}
_KEPT: Final = 10_000


def _differs_in_values(func: Any) -> bool:
    """Tell whether all that a function has of its own is plain values, which go with it."""
    if not isinstance(func, types.FunctionType) or references.reference(func) is not None:
        return False
    return (
        is_simple(func.__defaults__)
        and not func.__kwdefaults__
        and all(map(_is_simple_cell, func.__closure__ or ()))
    )


def _is_simple_cell(cell: types.CellType) -> bool:
    return _is_empty(cell) or is_simple(cell.cell_contents)


def _work_out(func: Callable[..., Any]) -> Meaning:
    walk = _Walk()
    parts = [walk.token(func)]
    parts += walk.definitions()
    return Meaning(digest(repr(parts).encode()), source.stamps(walk.modules))


def is_rewritten(func: Any) -> bool:
    """Tell whether a function that goes by value stands nowhere in its own module's source."""
    if isinstance(func, references.CACHED) and not _is_cached_by_name(func):
        func = func.__wrapped__
    if not isinstance(func, types.FunctionType) or references.reference(func) is not None:
        return False
    module = _module_of(func)
    if not is_own(module):
        return False
    forms = source.forms(module)
    return bool(forms) and form(func.__code__).digest not in forms


def _is_cached_by_name(value: Any) -> bool:
    """Is this a function with a cache, which others find under its name?"""
    return isinstance(value, references.CACHED) and references.reference(value) is not None


class _Walk:
    """Goes from one function to all that it refers to, each once, in an order of its own."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self._numbers: dict[Any, int] = {}
        self._waiting: deque[tuple[Any, bool]] = deque()
        self._kept: list[Any] = []  # what has a number must not be replaced by something at its id
        self._carried = True  # what is met now goes with the function, unless it goes by name

    # ---- one value -----------------------------------------------------------------------------

    def token(self, value: Any) -> Any:
        """Return what stands for a value: never an address, never anything in an order of chance.

        Of what is neither simple nor code only its type counts.
        """
        value = plain(value)
        if is_simple(value):
            return constant(value)
        if isinstance(value, types.ModuleType):
            return "module", _canonical(value.__name__)
        if isinstance(value, (types.FunctionType, type)):
            return self._definition(value)
        if isinstance(value, types.MethodType):
            kind = value.__self__ if isinstance(value.__self__, type) else type(value.__self__)
            with self._inside(by_name=references.reference(kind) is not None):
                func = self.token(value.__func__)
            return "method", func, self.token(kind)
        if isinstance(value, (staticmethod, classmethod)):
            return type(value).__name__, self.token(value.__func__)
        if isinstance(value, property):
            return "property", *map(self.token, (value.fget, value.fset, value.fdel))
        if isinstance(value, functools.partial):
            rest = [self.token(item) for item in value.args]
            named = [(key, self.token(item)) for key, item in sorted(value.keywords.items())]
            return "partial", self.token(value.func), rest, named
        if isinstance(value, enum.Enum):
            return "member", value.name, self.token(value.value), self.token(type(value))
        if isinstance(value, (types.BuiltinFunctionType, types.MethodDescriptorType)):
            return "built in", getattr(value, "__module__", None), value.__qualname__
        if isinstance(value, _ATOMS):
            items = [self.token(item) for item in value]
            return type(value).__name__, items if isinstance(value, tuple) else len(items)
        if isinstance(value, functools.singledispatchmethod):
            return "dispatcher", self.token(value.dispatcher)
        return self._object(value)

    @contextmanager
    def _inside(self, by_name: bool) -> Iterator[None]:
        """Meanwhile, what is met is in something that goes by name, or not."""
        before = self._carried
        self._carried = before and not by_name
        try:
            yield
        finally:
            self._carried = before

    def _object(self, value: Any) -> Any:
        """An object: its class, and the function that it stands for, if it does."""
        found = ["object", self.token(type(value))]
        for name in ("__wrapped__", "py_func", "func"):
            inner = inspect.getattr_static(value, name, None)
            if isinstance(inner, (types.FunctionType, functools.partial)):
                with self._inside(by_name=_is_cached_by_name(value)):
                    found.append(self.token(inner))
        return tuple(found)

    def _definition(self, value: Any) -> Any:
        """A function or class: numbered, and described later, if it is the user's own."""
        if isinstance(value, type):
            own = is_own(value.__module__) if isinstance(value.__module__, str) else False
        else:
            own = _is_own_function(value) or value.__closure__ is not None
        if not own:
            return "named", value.__module__, value.__qualname__
        carried = self._carried and references.reference(value) is None
        return self._number((id(value), carried), value, carried)

    def _number(self, key: Any, what: Any, carried: bool = False) -> Any:
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._waiting.append((what, carried))
            self._kept.append(what)
        return "number", self._numbers[key]

    # ---- what was numbered ---------------------------------------------------------------------

    def definitions(self) -> list[Any]:
        """Describe all that was numbered, and what comes to it by that."""
        found: list[Any] = []
        while self._waiting:
            what, self._carried = self._waiting.popleft()
            if isinstance(what, type):
                found.append(self._class(what))
            elif isinstance(what, types.FunctionType):
                found.append(self._function(what))
            else:
                found.append(self._binding(*what))
        return found

    def _function(self, func: types.FunctionType) -> Any:
        code: types.CodeType = func.__code__
        if _is_dispatcher(func):
            return "dispatcher", list(self._implementations(func))
        named = [(key, self.token(one)) for key, one in sorted((func.__kwdefaults__ or {}).items())]
        cells = self._cells(func)
        parts = [self.token(func.__defaults__), named, cells]
        is_own = _is_own_function(func)
        if _differs_in_values(func) and (self._carried or not is_own or not _has_values(func)):
            parts = ["go with it"]
        elif not self._carried:
            parts += self._heads(func, REBOUND in cells)
        if not is_own:
            return "other", _module_of(func), code.co_name, parts
        self.modules.add(_module_of(func))
        looks = form(code)
        by_name = not self._carried or func.__closure__ is not None
        looked_up = [
            (name, self._global(func.__globals__, name, looks.attributes, by_name))
            for name in looks.globals
        ]
        return "function", looks.digest, parts, looked_up, self._imports(func)

    def _implementations(self, func: types.FunctionType) -> Iterator[Any]:
        """What a `functools.singledispatch` function calls, in an order of the code.

        What the main guard registers is not found in workers, and does not count.
        """
        kinds: dict[type, Any] = vars(func)["registry"]
        for kind in sorted(kinds, key=lambda one: (_canonical(one.__module__), one.__qualname__)):
            what = kinds[kind]
            if not isinstance(what, types.FunctionType) or any(_head(what)):
                yield self.token(kind), self.token(what)

    def _heads(self, func: types.FunctionType, is_rebound: bool) -> Iterator[Any]:
        """What the source says of its own values, where these may change while it runs."""
        heads: list[tuple[Any, source.Binding | None]] = []
        if not all(map(_is_told, _defaults(func))):
            heads += [(func, head.defaults) for head in _head(func)]
        held = _captured(func)
        inner = [one for one in held if isinstance(one, types.FunctionType)]
        if is_rebound or not all(
            isinstance(one, types.FunctionType) or _is_told(one) for one in held
        ):
            # a decorator may have been given such a value
            heads += [(one, head.decorators) for one in (func, *inner) for head in _head(one)]
        for one, binding in heads:
            if binding is not None:
                yield self._number(("head", id(one), binding), (_module_of(one), binding))

    def _cells(self, func: types.FunctionType) -> list[Any]:
        """What a function captures; but for what changes as it runs, unless that goes with it."""
        module = _module_of(func)
        rebound: frozenset[str] = frozenset()
        if func.__closure__ and not self._carried and _is_own_function(func):
            rebound = source.rebound_inside(module)
        return [
            REBOUND if name in rebound else self._cell(cell)
            for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True)
        ]

    def _cell(self, cell: types.CellType) -> Any:
        return "empty" if _is_empty(cell) else self.token(cell.cell_contents)

    def _global(
        self, scope: dict[str, Any], name: str, attributes: tuple[str, ...], constants: bool
    ) -> Any:
        """What a function finds under a name of its module."""
        module = str(scope.get("__name__"))
        if module in script.MODULE_NAMES and name not in script.shared_names():
            return "not shared"
        if name not in scope:
            return "built in"
        value = scope[name]
        if isinstance(value, types.ModuleType):
            return self._module(value, attributes)
        if constants:
            return self._named_value(module, name, value)
        return self._code_in(value, is_fixed=name not in source.rebound(module))

    def _code_in(self, value: Any, *, is_fixed: bool) -> Any:
        """What a function that goes by value finds goes with it, unless it goes by name.

        That may be another kind of object each time, unless the name is bound once.
        """
        what = plain(value)
        if isinstance(what, (types.FunctionType, type)):
            return self.token(what)
        if is_fixed and (isinstance(what, references.CACHED) or is_own(str(type(what).__module__))):
            return "goes with it", self._object(what)
        return "goes with it"

    def _module(self, module: types.ModuleType, attributes: tuple[str, ...]) -> Any:
        """A module, and what of it is looked up: everything that has such a name."""
        found: list[Any] = []
        seen = {module.__name__}
        waiting = [module]
        while waiting:
            one = waiting.pop()
            if not is_own(one.__name__):
                continue
            self.modules.add(one.__name__)
            for name in attributes:
                value = vars(one).get(name, self)
                if isinstance(value, types.ModuleType) and value.__name__ not in seen:
                    seen.add(value.__name__)
                    waiting.append(value)
                elif value is not self:
                    with self._inside(by_name=True):
                        found.append((name, self._named_value(one.__name__, name, value)))
        return self.token(module), found

    def _named_value(self, module: str, name: str, value: Any) -> Any:
        """A value that an own module has a name for.

        What may change while the program runs counts by the statements that make it.
        """
        if name in source.rebound(module):
            return REBOUND
        found = self.token(value)
        what = plain(value)
        if is_simple(value) or isinstance(what, type):
            return found
        if isinstance(what, types.FunctionType) and (self._carried or _is_told(what)):
            return found
        return found, self._statements(module, name)

    def _statements(self, module: str, name: str) -> Any:
        return self._number((_canonical(module), name), (module, source.binding(module, name)))

    def _binding(self, module: str, binding: source.Binding | None) -> Any:
        self.modules.add(module)
        if binding is None:
            return "unknown"
        found: list[Any] = []
        for origin, name in binding.imported:
            if is_own(origin) and origin in sys.modules:
                value = getattr(sys.modules[origin], name, None)
                found.append(self._named_value(origin, name, value))
        scope = getattr(sys.modules.get(module), "__dict__", {})
        for name in binding.names:
            found.append((name, self._global(scope, name, binding.attributes, constants=True)))
        return "statements", binding.text, found

    def _imports(self, func: types.FunctionType) -> Any:
        """Own modules that are imported when the function runs count as a whole."""
        looks = form(func.__code__)
        module = _module_of(func)
        names = {source.absolute(module, level, name) for level, name in looks.imports}
        names |= {f"{name}.{part}" for name in names for part in looks.attributes}
        found = []
        for name in sorted(names):
            if is_own(name):
                code, modules = source.whole(name)
                self.modules |= modules
                found.append((name, code))
        return found

    def _class(self, cls: type) -> Any:
        self.modules.add(cls.__module__)
        members = []
        opaque = False
        for name, value in sorted(vars(cls).items()):
            if name.startswith("__") and name != "__slots__" and not _is_method(value):
                continue
            if isinstance(value, (types.GetSetDescriptorType, types.MemberDescriptorType)):
                continue
            if name.startswith("_abc_") or (name.startswith("_") and name.endswith("_")
                                            and issubclass(cls, enum.Enum)
                                            and not _is_method(value)):  # fmt: skip
                continue
            opaque = opaque or not (is_simple(value) or _is_method(value))
            members.append((name, self.token(value)))
        bases = [self.token(base) for base in cls.__bases__]
        body: Any = ()
        if opaque and "<" not in cls.__qualname__:
            body = self._number(
                ("body", id(cls)),
                (cls.__module__, source.class_body(cls.__module__, cls.__qualname__)),
            )
        return "class", bases, self.token(type(cls)), members, body


def is_simple(value: Any) -> bool:
    """Tell whether a value is plain and can never change."""
    if type(value) in _SIMPLE:
        return True
    return type(value) in _ATOMS and all(map(is_simple, value))


def _is_told(value: Any) -> bool:
    """Tell whether its token says all of a value; what is the user's own is described besides."""
    value = plain(value)
    if is_simple(value):
        return True
    if isinstance(value, tuple):
        return all(map(_is_told, value))
    if isinstance(value, functools.partial):
        return all(map(_is_told, (value.func, *value.args, *value.keywords.values())))
    if isinstance(value, types.FunctionType):
        return not value.__closure__ or references.reference(value) is not None
    if isinstance(value, _BOUND):
        return isinstance(value.__self__, (type, types.ModuleType, type(None)))
    return isinstance(value, _DEFINED)


def _has_values(func: types.FunctionType) -> bool:
    return bool(func.__defaults__ or func.__kwdefaults__ or func.__closure__)


def _defaults(func: types.FunctionType) -> list[Any]:
    return [*(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values()]


def _captured(func: types.FunctionType) -> list[Any]:
    return [cell.cell_contents for cell in func.__closure__ or () if not _is_empty(cell)]


def _is_empty(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False


def _head(func: types.FunctionType) -> Iterator[source.Head]:
    """Yield what the source says of a function's definition, if it is found."""
    found = source.head(_module_of(func), func.__code__) if _is_own_function(func) else None
    if found is not None:
        yield found


def _is_dispatcher(func: types.FunctionType) -> bool:
    registry = vars(func).get("registry")
    return isinstance(registry, types.MappingProxyType) and func.__globals__ is vars(functools)


def _is_method(value: Any) -> bool:
    return isinstance(plain(value), (types.FunctionType, staticmethod, classmethod, property))


def _module_of(func: types.FunctionType) -> str:
    return str(func.__globals__.get("__name__"))


def _is_own_function(func: types.FunctionType) -> bool:
    return is_own(_module_of(func))


def _canonical(module: str) -> str:
    """Return one name for the script's module, which has two."""
    return script.ROOT_NAME if module in script.MODULE_NAMES else module
