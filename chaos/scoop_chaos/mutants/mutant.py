"""One mutant: a line of a function of the product, replaced while the function lives.

The function keeps its identity, only its code is exchanged: whoever has imported it, or has it in
a table of handlers, runs the broken one.  A line that is not there, or there twice, is refused:
then the product has changed and the mutant must follow.  Knows nothing of seeds or simulators.
"""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any

_FLAGS = __future__.annotations.compiler_flag


class DoesNotApply(ValueError):
    """The product's line is not what the mutant says it is."""


@dataclass(frozen=True)
class Mutant:
    """One small mistake.

    Attributes
    ----------
    name : str
        A few words, joined by hyphens.
    what : str
        What goes wrong, in a sentence.
    where : str
        The function: ``module:Class.function``.
    old, new : str
        The text that is there, exactly once, and what stands there instead.
    """

    name: str
    what: str
    where: str
    old: str
    new: str

    @property
    def place(self) -> str:
        """The function, as people call it."""
        module, _, name = self.where.partition(":")
        return f"{module.removeprefix('scoop_ft.')}.{name}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Break the product, for as long as the context lasts."""
        function = self.function()
        code = function.__code__
        function.__code__ = self.broken_code()
        try:
            yield
        finally:
            function.__code__ = code

    def function(self) -> FunctionType:
        """Return the function that is broken."""
        _, found = self._resolve()
        return found

    def broken_code(self) -> CodeType:
        """Return the function's code with the mistake in it.

        Raises
        ------
        DoesNotApply
            The text is not there exactly once, or the mistake is none that could be compiled.
        """
        module, function = self._resolve()
        source = textwrap.dedent(inspect.getsource(function))
        times = source.count(self.old)
        if times != 1:
            raise DoesNotApply(f"{self.name}: {self.old!r} is {times} times in {self.where}")
        scope = self.where.partition(":")[2].rpartition(".")[0]
        source = source.replace(self.old, self.new)
        return _compile(module, function, source, scope)

    def _resolve(self) -> tuple[ModuleType, FunctionType]:
        place, _, path = self.where.partition(":")
        module = import_module(place)
        found: Any = module
        for name in path.split("."):
            found = inspect.getattr_static(found, name)
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
        if isinstance(found, property):
            found = found.fget
        if not isinstance(found, FunctionType):
            raise DoesNotApply(f"{self.name}: {self.where} is no function")
        return module, found


def _compile(module: ModuleType, function: FunctionType, source: str, scope: str) -> CodeType:
    """Compile a function's new source, as a method where it is one (for ``super()``)."""
    if scope:
        source = f"class {scope}:\n" + textwrap.indent(source, "    ")
    code: CodeType = compile(
        source, function.__code__.co_filename, "exec", _FLAGS, dont_inherit=True
    )
    for name in [*scope.split("."), function.__name__] if scope else [function.__name__]:
        inner = (each for each in code.co_consts if isinstance(each, CodeType))
        code = next(each for each in inner if each.co_name == name)
    if code.co_freevars != function.__code__.co_freevars:
        raise DoesNotApply(f"{function.__qualname__}: the mistake needs other variables")
    return code
