"""What a file imports, as it is read before anybody imports it."""

from __future__ import annotations

import pytest

from scoop_ft.code.ahead import imported, may_import_later


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("import a\nfrom b import c\n", False),
        ("", False),
        ("x = 1\n", False),
        ("import a\n\ndef f():\n    import b\n", True),
        ("try:\n    from a import b\nexcept ImportError:\n    pass\n", True),
        ("def f(): import b\n", True),
        ("import a; import b\n", False),
    ],
)
def test_whether_parsing_is_worth_it(text: str, later: bool) -> None:
    assert may_import_later(text.encode()) is later


@pytest.mark.parametrize(
    ("text", "module", "package", "found"),
    [
        ("import a.b, c", "m", False, ["a", "a.b", "c"]),
        ("import os.path, json", "m", False, []),
        ("from . import x", "p.m", False, ["p", "p.x"]),
        ("from . import x", "p", True, ["p", "p.x"]),
        ("from .q import x", "p.m", False, ["p", "p.q", "p.q.x"]),
        ("from ..q import x", "p.r.m", False, ["p", "p.q", "p.q.x"]),
        ("from .. import x", "p.r", True, ["p", "p.x"]),
        ("from . import x", "m", False, []),
        ("from ... import x", "p.m", False, []),
        ("class A:\n def f(s):\n  from a import *", "m", False, ["a", "a.*"]),
        ("no python at all", "m", False, []),
        ("x = '\0'", "m", False, []),
        ("x = " + "(" * 5000 + ")" * 5000, "m", False, []),
    ],
)
def test_names_with_the_packages_they_are_in(
    text: str, module: str, package: bool, found: list[str]
) -> None:
    assert imported(text.encode(), module, package=package) == found
