"""What a code object does, as a digest that does not depend on files, lines and formatting.

The compiler lays code out by lines here and there (it keeps jumps and no-operations so that each
line can be traced), so instructions are walked in the order in which they can run, and only what
can run counts.  Docstrings do not count.  Also says which names a code object looks up.  Looks at
nothing but the code object.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ..ids import digest

_FLAGS: Final = (
    inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR
)  # fmt: skip
_NOTHING: Final = frozenset({"NOP", "RESUME", "EXTENDED_ARG", "CACHE", "NOT_TAKEN"})
_JUMPS: Final = frozenset({
    "JUMP_FORWARD", "JUMP_ABSOLUTE", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT",
})  # fmt: skip
_ENDS: Final = frozenset({"RETURN_VALUE", "RAISE_VARARGS", "RERAISE"})
_PAIRS: Final = {  # two instructions that are one where they stand on one line
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_TESTS: Final = {  # what is tested, and whether it jumps if so
    "POP_JUMP_IF_TRUE": ("TRUE", True),
    "POP_JUMP_IF_FALSE": ("TRUE", False),
    "POP_JUMP_IF_NONE": ("NONE", True),
    "POP_JUMP_IF_NOT_NONE": ("NONE", False),
}
_GLOBAL: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_PLACES: Final = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
_SHORT: Final = 8  # instructions up to an end: the compiler may have copied them, or not


class Form(NamedTuple):
    """A code object's meaning.

    Attributes
    ----------
    digest : bytes
        Of what it does, code objects inside of it included.
    globals : tuple of str
        Names that it looks up in its module, in alphabetical order.
    attributes : tuple of str
        Names that it looks up in objects.
    imports : tuple of (int, str)
        Modules that it imports: level and name.
    """

    digest: bytes
    globals: tuple[str, ...]
    attributes: tuple[str, ...]
    imports: tuple[tuple[int, str], ...]


_known: dict[int, tuple[types.CodeType, Form]] = {}  # by id: comparing code objects is slow
_KEPT: Final = 10_000


def form(code: types.CodeType) -> Form:
    """Return a code object's meaning; it is worked out once."""
    found = _known.get(id(code))
    if found is None:
        if len(_known) >= _KEPT:
            _known.clear()
        found = _known[id(code)] = (code, _Reader(code).form())
    return found[1]


class _Step(NamedTuple):
    """An instruction; ``target`` and ``handler`` are places of steps."""

    name: str
    argument: Any
    target: int = -1
    handler: tuple[int, int, bool] | None = None


class _Reader:
    """Walks one code object."""

    def __init__(self, code: types.CodeType) -> None:
        self._code = code
        self._globals: set[str] = set()
        self._attributes: set[str] = set()
        self._imports: set[tuple[int, str]] = set()
        self._steps: list[_Step] = []

    def form(self) -> Form:
        """Return what was read."""
        code = self._code
        self._read()
        arguments = code.co_argcount + code.co_kwonlyargcount
        arguments += bool(code.co_flags & inspect.CO_VARARGS)
        arguments += bool(code.co_flags & inspect.CO_VARKEYWORDS)
        head = (
            code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
            code.co_flags & _FLAGS, code.co_varnames[:arguments], code.co_freevars,
        )  # fmt: skip
        text = repr((head, list(self._walk())))
        return Form(
            digest(text.encode()),
            tuple(sorted(self._globals)),
            tuple(sorted(self._attributes)),
            tuple(sorted(self._imports)),
        )

    # ---- instructions --------------------------------------------------------------------------

    def _read(self) -> None:
        """Turn instructions into steps; targets, which are offsets, into places of steps."""
        bytecode = dis.Bytecode(self._code)
        entries = getattr(bytecode, "exception_entries", ())
        place: dict[int, int] = {}
        raw: list[tuple[str, Any, int, int]] = []
        for instruction in bytecode:
            offset = instruction.offset
            place[offset] = len(raw)
            if instruction.opname not in _NOTHING:
                raw += [(*step, offset) for step in self._split(instruction)]
        for name, argument, target, offset in raw:
            handler = None
            for entry in entries:
                if entry.start <= offset < entry.end:
                    handler = (place[entry.target], entry.depth, entry.lasti)
            self._steps.append(_Step(name, argument, place[target] if target >= 0 else -1, handler))
        if not self._code.co_flags & inspect.CO_OPTIMIZED:
            self._forget_places()

    def _split(self, instruction: dis.Instruction) -> Iterator[tuple[str, Any, int]]:
        """Yield name, argument and target of one instruction, or of the two that it stands for."""
        name, value = instruction.opname, instruction.argval
        if name in _PAIRS:
            yield from ((part, one, -1) for part, one in zip(_PAIRS[name], value, strict=True))
            return
        name = name.removesuffix("_BORROW")
        if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
            yield name, None, value
        elif name == "RETURN_CONST":
            yield "LOAD_CONST", self._constant(value), -1
            yield "RETURN_VALUE", None, -1
        elif name in ("LOAD_CONST", "KW_NAMES", "LOAD_SMALL_INT"):
            yield "LOAD_CONST" if name != "KW_NAMES" else name, self._constant(value), -1
        elif instruction.opcode in dis.hasname:
            self._note(name, value)
            yield name, instruction.argrepr, -1
        elif instruction.opcode in dis.haslocal or instruction.opcode in dis.hasfree:
            yield name, value, -1
        else:
            yield name, instruction.arg, -1

    def _note(self, name: str, value: str) -> None:
        if name in _GLOBAL:
            self._globals.add(value)
        elif name == "IMPORT_NAME":
            self._imports.add((self._last_integer, value))
        else:
            self._attributes.add(value)

    _last_integer = 0  # what was loaded last: before an import, its level

    def _constant(self, value: Any) -> Any:
        if type(value) is int:
            self._last_integer = value
        if isinstance(value, types.CodeType):
            inner = form(value)
            self._globals.update(inner.globals)
            self._attributes.update(inner.attributes)
            self._imports.update(inner.imports)
        return constant(value)

    def _forget_places(self) -> None:
        """A class notes its docstring and where it stands: that does nothing."""
        for at, step in enumerate(self._steps):
            if step.name == "STORE_NAME" and step.argument in _PLACES and at:
                for index in (at - 1, at):
                    self._steps[index] = _Step("NOP", None)

    def _thread(self, step: _Step) -> _Step:
        """Go at once where a test leads that is made again, of the same value, at its target."""
        seen: set[int] = set()
        while step.name.endswith("_OR_POP") and step.target not in seen:
            seen.add(step.target)
            sense = "TRUE" if "IF_TRUE" in step.name else "FALSE"
            at = self._follow(step.target)
            there = self._steps[at]
            if there.target < 0 or "JUMP" not in there.name or "IF_" not in there.name:
                break
            if not there.name.endswith(("IF_TRUE", "IF_FALSE", "_OR_POP")):
                break
            if f"IF_{sense}" in there.name:
                step = there._replace(name=_plain(there.name), handler=step.handler)
            else:
                step = step._replace(name=f"POP_JUMP_IF_{sense}", target=at + 1)
        return step._replace(name=_plain(step.name))

    # ---- in the order in which they run --------------------------------------------------------

    def _walk(self) -> Iterator[Any]:
        """Yield each step that can run, once, and where it is gone to from elsewhere."""
        self._numbers: dict[int, int] = {}
        self._waiting: list[int] = [0]
        self._labels: dict[int, int] = {self._follow(0): 0}
        while self._waiting:
            at = self._waiting.pop(0)
            yield "at", self._labels[self._follow(at)]
            yield from self._run(at)

    def _run(self, at: int) -> Iterator[Any]:
        while True:
            at = self._follow(at)
            if at in self._numbers:
                short = self._short_end(at)
                yield from short or [("goto", self._numbers[at])]
                return
            self._numbers[at] = len(self._numbers)
            step = self._thread(self._steps[at])
            if step.name in _TESTS:
                yield self._branch(step, at)
                return
            yield self._token(step)
            if step.name in _ENDS or step.name in _JUMPS:  # one that leads to itself: for ever
                return
            at += 1

    def _branch(self, step: _Step, at: int) -> Any:
        """A test has two ways on; which of them is the jump says nothing."""
        name, jumps_if = _TESTS[step.name]
        ways = (step.target, at + 1) if jumps_if else (at + 1, step.target)
        handler = self._token(step._replace(target=-1))[2:]
        return (name, *map(self._label, ways), *handler)

    def _short_end(self, at: int) -> list[Any] | None:
        """Return the steps from here to an end, if these are few and go nowhere else."""
        found: list[Any] = []
        while len(found) < _SHORT:
            at = self._follow(at)
            step = self._steps[at]
            if step.target >= 0:
                return None
            found.append(self._token(step))
            if step.name in _ENDS:
                return found
            at += 1
        return None

    def _token(self, step: _Step) -> Any:
        parts: list[Any] = [step.name, step.argument]
        if step.target >= 0:
            parts.append(self._label(step.target))
        if step.handler is not None:
            target, *rest = step.handler
            parts.append((self._label(target), *rest))
        return tuple(parts)

    def _label(self, at: int) -> int:
        """Number a place that is gone to, in the order in which it is met."""
        at = self._follow(at)
        if at not in self._labels:
            self._labels[at] = len(self._labels)
            self._waiting.append(at)
        return self._labels[at]

    def _follow(self, at: int) -> int:
        """Skip what does nothing, and go where plain jumps lead."""
        seen = set()
        while True:
            step = self._steps[at]
            if step.name == "NOP":
                at += 1
            elif step.name in _JUMPS and at not in seen:
                seen.add(at)
                at = step.target
            else:
                return at


def _plain(name: str) -> str:
    """Return a jump's name without its direction."""
    return name.replace("_FORWARD", "").replace("_BACKWARD", "") if "_IF_" in name else name


def constant(value: Any) -> Any:
    """Return something with a repr that is the same for the same constant, in each process."""
    kind = type(value).__name__
    if isinstance(value, types.CodeType):
        return kind, form(value).digest
    if isinstance(value, tuple):
        return kind, tuple(map(constant, value))
    if isinstance(value, frozenset):
        return kind, tuple(sorted(repr(constant(item)) for item in value))
    if isinstance(value, slice):
        return kind, constant((value.start, value.stop, value.step))
    return kind, repr(value)
