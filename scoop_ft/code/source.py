"""The user's own modules as text: what gives a name, or a default of a function, its value.

What a module keeps in a list, a dict or an object may change while it runs; what its source says of
it does not, so that counts.  Formatting, comments, docstrings, annotations and what stands under
the main guard do not.  Imports nothing of the user's and runs none of his code.
"""

from __future__ import annotations

import ast
import os
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from importlib.util import decode_source
from typing import Any, Final, NamedTuple, TypeVar

from .. import main_guard, script
from ..ids import digest
from .form import form
from .own import find, is_own, source_file

T = TypeVar("T")

SETTLED_NS: Final = 1_000_000_000  # file systems keep time by coarser clocks than ours


class Binding(NamedTuple):
    """How a name gets its value.

    Attributes
    ----------
    text : str
        The statements, in a form that formatting does not change.
    names : tuple of str
        The names that occur in them.
    attributes : tuple of str
        The attributes that occur in them.
    imported : tuple of (str, str)
        Modules and names that are imported under this name.
    """

    text: str
    names: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    imported: tuple[tuple[str, str], ...] = ()


class Head(NamedTuple):
    """What is worked out when a function is defined.

    Attributes
    ----------
    defaults : Binding
        The defaults of its arguments.
    decorators : Binding or None
        Its decorators, if one of them is called with arguments.
    """

    defaults: Binding
    decorators: Binding | None


def _kept(look: Callable[[str], T]) -> Callable[[str], T]:
    """Look at a module once, and once more when it was loaded anew."""
    known: dict[str, tuple[Any, T]] = {}

    @wraps(look)
    def kept(module: str) -> T:
        spec = getattr(sys.modules.get(module), "__spec__", None)  # each load makes another one
        found = known.get(module)
        if found is None or found[0] is not spec:
            found = known[module] = (spec, look(module))
        return found[1]

    return kept


# ---- what gives a name its value ----------------------------------------------------------------


def binding(module: str, name: str) -> Binding | None:
    """Return how a top-level name of an own module gets its value; None where nothing says so."""
    return _bindings(module).get(name)


@_kept
def rebound(module: str) -> frozenset[str]:
    """Return the top-level names of a module that its functions bind, at times nobody knows."""
    return _said_to_be(ast.Global, "global", module)


@_kept
def rebound_inside(module: str) -> frozenset[str]:
    """Return the names of functions' variables that functions inside of them bind."""
    return _said_to_be(ast.Nonlocal, "nonlocal", module)


def _said_to_be(kind: type[ast.Global | ast.Nonlocal], word: str, module: str) -> frozenset[str]:
    """Return the names in all statements of a kind; most modules have none, and are not walked."""
    source = _source(module) or ""
    if (word if isinstance(source, str) else word.encode()) not in source:  # type: ignore[operator]
        return frozenset()
    nodes = ast.walk(_tree(module))
    return frozenset(name for node in nodes if isinstance(node, kind) for name in node.names)


def class_body(module: str, qualname: str) -> Binding | None:
    """Return what stands in a class besides its functions; None where it cannot be found."""
    body: list[ast.stmt] = _tree(module).body
    found: ast.ClassDef | None = None
    for part in qualname.split("."):
        classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == part]
        if not classes:
            return None
        found = classes[-1]
        body = found.body
    assert found is not None
    rest = [node for node in body if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return _described([*found.decorator_list, *found.keywords, *rest])


def head(module: str, code: types.CodeType) -> Head | None:
    """Return what the source says of a function's definition; None where it is not found.

    It is found by its line: the code must be that of the module as it is loaded now.
    """
    if code.co_filename.startswith("<"):
        return None  # a dataclass and the like make methods that stand nowhere
    counts = code.co_argcount, code.co_kwonlyargcount
    return _heads(module).get((code.co_name, code.co_firstlineno, *counts))


@_kept
def _heads(module: str) -> dict[tuple[str, int, int, int], Head]:
    gathered: dict[tuple[str, int, int, int], list[Any]] = {}
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            line = min([node.lineno, *(one.lineno for one in _decorators(node))])
            counts = len(node.args.posonlyargs + node.args.args), len(node.args.kwonlyargs)
            gathered.setdefault((name, line, *counts), []).append(node)
    return {key: _head(nodes) for key, nodes in gathered.items()}


def _head(nodes: list[Any]) -> Head:
    defaults = [
        one for node in nodes for one in (*node.args.defaults, *node.args.kw_defaults) if one
    ]
    decorators = [one for node in nodes for one in _decorators(node)]
    is_told = any(isinstance(one, ast.Call) for one in decorators)
    return Head(_described(defaults), _described(decorators) if is_told else None)


def _decorators(node: ast.AST) -> list[ast.expr]:
    return getattr(node, "decorator_list", [])  # lambdas have none


def whole(module: str) -> tuple[bytes, frozenset[str]]:
    """Return a digest of an own module and of the own ones that it imports, and their names."""
    parts: list[str] = []
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen and is_own(name):
            seen.add(name)
            text, imported = _all_of(name)
            parts.append(text)
            waiting += imported
    return digest("\n".join(sorted(parts)).encode()), frozenset(filter(is_own, seen))


@_kept
def _all_of(module: str) -> tuple[str, list[str]]:
    tree = _tree(module)
    return f"{module} {ast.dump(tree)}", list(_imported_modules(tree, module))


def stamps(modules: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return path, time of change and size of the files of own modules, the script's in any case.

    A file that may have changed after this process has read it has the time 0, and so has one that
    is not what this process runs (a run goes on with the code that it has recorded).
    """
    names = {script.ROOT_NAME, *modules} - {script.WORKER_NAME}
    return sorted(stamp for name in names if is_own(name) and (stamp := _stamp(name)))


@_kept
def _stamp(name: str) -> tuple[str, int, int] | None:
    path = script.path() if name in script.MODULE_NAMES else source_file(name)
    if path is None:
        return None
    told = path.encode(errors="replace").decode()  # it may be no text: then it is never found
    try:
        status = os.stat(path)
        with open(path, "rb") as file:
            same = _text(file.read()) == _text(_source(name))
    except OSError:
        return told, 0, 0
    is_old = status.st_mtime_ns < script.began_ns() - SETTLED_NS
    return told, status.st_mtime_ns if is_old and same else 0, status.st_size


def _imported_modules(tree: ast.Module, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node.level, node.module or "")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def absolute(module: str, level: int, name: str) -> str:
    """Return the full name of what a module imports."""
    if level == 0:
        return name
    known = sys.modules.get(module)
    package = getattr(known, "__package__", None) or module.rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


@_kept
def _bindings(module: str) -> dict[str, Binding]:
    gathered: dict[str, list[ast.AST]] = {}
    imported: dict[str, list[tuple[str, str]]] = {}
    for statement in _tree(module).body:
        for name in _bound(statement):
            gathered.setdefault(name, []).append(statement)
        if isinstance(statement, ast.ImportFrom):
            base = absolute(module, statement.level, statement.module or "")
            for alias in statement.names:
                imported.setdefault(alias.asname or alias.name, []).append((base, alias.name))
    return {
        name: _described(nodes)._replace(imported=tuple(imported.get(name, ())))
        for name, nodes in gathered.items()
    }


def _described(nodes: list[Any]) -> Binding:
    names = {node.id for one in nodes for node in ast.walk(one) if isinstance(node, ast.Name)}
    attributes = {
        node.attr for one in nodes for node in ast.walk(one) if isinstance(node, ast.Attribute)
    }
    text = "\n".join(map(ast.dump, nodes))
    return Binding(text, tuple(sorted(names)), tuple(sorted(attributes)))


def _bound(statement: ast.AST) -> set[str]:
    """Return the names that a statement binds, or changes what they are bound to."""
    found: set[str] = set()
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            for decorator in node.decorator_list:
                if not isinstance(decorator, ast.Name):  # ``@name.register``
                    found.update(_base(decorator))
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((a.asname or a.name).split(".")[0] for a in node.names)
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            if not isinstance(node.ctx, ast.Load):
                found.update(_base(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found.update(_base(node.value.func))
            for argument in (*node.value.args, *(one.value for one in node.value.keywords)):
                found.update(_base(argument))  # ``fill(name)``
        waiting += ast.iter_child_nodes(node)
    return found


def _base(node: ast.AST) -> Iterator[str]:
    """Yield the name that an expression like ``name.attribute[0]`` begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


# ---- source -------------------------------------------------------------------------------------


@_kept
def _tree(module: str) -> ast.Module:
    """Return a module's source without what does not count; empty where there is no source."""
    try:
        tree = ast.parse(_source(module) or "")
    except (SyntaxError, ValueError):
        tree = ast.Module([], [])
    stripped: ast.Module = _Strip().visit(tree)
    return stripped


def _source(module: str) -> str | bytes | None:
    if module in script.MODULE_NAMES:
        return script.source()
    known: types.ModuleType | None = sys.modules.get(module)
    spec = getattr(known, "__spec__", None) or find(module)
    get_source = getattr(getattr(spec, "loader", None), "get_source", None)
    try:
        text: str | None = get_source(module) if get_source is not None else None
    except (ImportError, OSError):
        return None
    return text


def _text(source: str | bytes | None) -> str | None:
    try:
        return decode_source(source) if isinstance(source, bytes) else source
    except (SyntaxError, UnicodeDecodeError):
        return None


@_kept
def forms(module: str) -> frozenset[bytes]:
    """Return what all code objects of a module's source do, as digests; nothing without source."""
    try:
        waiting = [compile(_source(module) or "", module, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return frozenset()
    found = set()
    while waiting:
        code = waiting.pop()
        found.add(form(code).digest)
        waiting += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return frozenset(found)


class _Strip(ast.NodeTransformer):
    """Takes away docstrings, annotations and the main guard."""

    def visit_If(self, node: ast.If) -> Any:
        if main_guard.is_main_test(node.test):
            return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def _visit_body(self, node: Any) -> Any:
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        if hasattr(node, "returns"):
            node.returns = None
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Module = _visit_body
