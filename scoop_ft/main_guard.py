"""What the main guard of a script hides: which of its names every process binds, by its source.

Source text in, names out: it imports nothing of the script and runs nothing.
"""

from __future__ import annotations

import ast


def has_main_guard(path: str) -> bool:
    """Tell whether a script tests somewhere that it is ``__main__``."""
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.If) and is_main_test(node.test) for node in ast.walk(tree))


def is_main_test(test: ast.expr) -> bool | None:
    """True for a test that holds only in ``__main__``, False for only elsewhere, else None."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return True if any(is_main_test(value) for value in test.values) else None
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    sides = (test.left, test.comparators[0])
    names = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    texts = any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
    if not (names and texts):
        return None
    if isinstance(test.ops[0], ast.Eq):
        return True
    return False if isinstance(test.ops[0], ast.NotEq) else None


class Bindings(ast.NodeVisitor):
    """Sorts the names a script binds at its top level by whether every process binds them."""

    def __init__(self) -> None:
        self.top: set[str] = set()
        self.guarded: set[str] = set()
        self.rebound: set[str] = set()  # by functions, at times that cannot be known
        self.has_guard = False
        self._current = self.top

    @classmethod
    def of(cls, source: bytes) -> Bindings:
        """Read a script's source; one that cannot be parsed binds nothing."""
        found = cls()
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return found  # whoever runs it will say so
        found.visit(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                found.rebound.update(node.names)
        return found

    @property
    def shared(self) -> frozenset[str]:
        """Names bound alike everywhere: what the guard or a function rebinds may differ."""
        return frozenset(self.top - self.guarded - self.rebound)

    def visit_If(self, node: ast.If) -> None:
        guard = is_main_test(node.test)
        if guard is None:
            self.generic_visit(node)
            return
        self.has_guard = True
        self.visit(node.test)
        outside = self._current
        for statements, is_guarded in ((node.body, guard), (node.orelse, not guard)):
            self._current = self.guarded if is_guarded else outside
            for statement in statements:
                self.visit(statement)
        self._current = outside

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._current.add(node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._current.add(node.name)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._current.add(node.name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._current.add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self._current.add((node.asname or node.name).split(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._current.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._current.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._current.add(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._current.add(node.rest)
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Leave it: what it binds is its own; likewise for the comprehensions below."""

    def visit_ListComp(self, node: ast.AST) -> None:
        """Leave it."""

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp
