"""Which modules a file of the user's imports, also those that only its functions import.

What a program imports as it begins is known once it has begun.  What its functions import when they
are run may first be looked for by a worker on a machine without the files.  Reads text only: it
imports nothing and looks for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast


def may_import_later(data: bytes) -> bool:
    """Tell whether a file may have imports inside of something: to parse it takes far longer."""
    at = data.find(b"import")
    while at >= 0:
        line = data.rfind(b"\n", 0, at) + 1
        if not data.startswith((b"import ", b"from "), line):
            return True
        at = data.find(b"import", at + 1)
    return False


def imported(data: bytes, name: str, *, package: bool) -> list[str]:
    """Return the names that may be modules which a file imports, packages before what is in them.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        Its module.
    package : bool
        It is an ``__init__.py``.

    Examples
    --------
    >>> imported(b"def f():\\n    from .tools import saw\\n    import os\\n", "a.b", package=False)
    ['a', 'a.tools', 'a.tools.saw']
    """
    import ast

    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # all of them the parser's
        return []
    home = name if package else name.rpartition(".")[0]
    found: dict[str, None] = {}
    for each in _names(tree, home):
        parts = each.split(".")
        if parts[0] not in sys.stdlib_module_names:
            found.update((".".join(parts[:n]), None) for n in range(1, len(parts) + 1))
    return list(found)


def _names(tree: ast.Module, home: str) -> Iterator[str]:
    import ast

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, home)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(node: ast.ImportFrom, home: str) -> str:
    if not node.level:
        return node.module or ""
    packages = home.split(".") if home else []
    if node.level > len(packages):
        return ""  # Python refuses it
    above = packages[: len(packages) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)
