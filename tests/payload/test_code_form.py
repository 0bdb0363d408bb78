"""Formatting changes no code object's meaning: the standard library, written in another way."""

from __future__ import annotations

import ast
import types
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from scoop_ft.code.form import form

MODULES = (
    "argparse", "calendar", "configparser", "contextlib", "copy", "csv", "dataclasses",
    "difflib", "functools", "heapq", "inspect", "ipaddress", "json.decoder", "mailbox", "pickle",
    "random", "statistics", "tarfile", "textwrap", "threading", "typing",
)  # fmt: skip


def source(name: str) -> str:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def codes(tree: ast.Module | str) -> list[types.CodeType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_inside(compile(tree, "a file", "exec")))


def _inside(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _inside(constant)


def on_one_line(text: str) -> ast.Module:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return tree


@pytest.mark.parametrize("name", MODULES)
def test_without_comments_and_broken_otherwise(name: str) -> None:
    text = source(name)
    was = codes(text)
    now = codes(ast.unparse(ast.parse(text)))
    assert len(was) == len(now) > 5
    for one, other in zip(was, now, strict=True):
        assert form(one) == form(other), one


def test_the_compiler_lays_code_out_by_lines() -> None:
    """Else the tests above would show nothing."""
    differ = sum(
        one.co_code != other.co_code
        for name in MODULES
        for one, other in zip(codes(source(name)), codes(on_one_line(source(name))), strict=False)
    )
    assert differ > 10


PROGRAM = """
def f(a, b=1, *rest, c=2):
    "Text."
    x = 0
    for item in rest:
        if item in (1, 2, 3):
            continue
        try:
            x += g(item) and h(item) or a
        except (ValueError, KeyError) as error:
            raise TypeError(str(error)) from error
        finally:
            x -= 1
    with a as y, b:
        x = [z for z in y if z > c]
    return x if a is None else {"key": x, **b}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(1, 2, 3)", "(1, 2, 4)"),
        ("x += g", "x -= g"),
        ("and h(item) or a", "or h(item) and a"),
        ("g(item)", "h(item)"),
        ("(ValueError, KeyError)", "(ValueError, IndexError)"),
        ("from error", "from None"),
        ("z > c", "z >= c"),
        ("a is None", "a is not None"),
        ("continue", "break"),
        ('"key"', '"kez"'),
        ("x = 0", "x = 0.0"),
        ("x = 0", "x = False"),
        ("a as y, b", "b as y, a"),
        ("            x -= 1", "            pass"),
        ("        finally:\n            x -= 1", "        x -= 1"),
        ("*rest, c", "*, rest, c"),
        ("(a, b=1", "(a, /, b=1"),
    ],
)
def test_another_meaning_is_another_form(old: str, new: str) -> None:
    assert old in PROGRAM
    assert form(codes(PROGRAM)[1]) != form(codes(PROGRAM.replace(old, new))[1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Text."', '"Another text."'),
        ('"Text."', ""),
        ("x = 0\n", "x = 0  # nothing\n\n"),
        ("g(item) and h(item) or a", "(g(\n item)\n and h(item)\n or a)"),
        ("return x if a is None else", "return (x\n if a\n is None\n else"),
        ("(a, b=1, *rest, c=2)", "(a: int, b: int = 1, *rest: str, c: float = 2) -> dict"),
    ],
)
def test_the_same_meaning_is_the_same_form(old: str, new: str) -> None:
    assert old in PROGRAM
    text = PROGRAM.replace(old, new)
    text += ")" if text.count("(") > text.count(")") else ""
    assert form(codes(PROGRAM)[1]) == form(codes(text)[1])


FOR_EVER = """
def f(x):
    while True:
        pass
"""


def test_a_loop_that_does_nothing_has_a_form_too() -> None:
    forms = [
        form(codes(text)[1])
        for text in (
            FOR_EVER,
            FOR_EVER.replace("pass", "continue"),
            FOR_EVER.replace("pass", "x()"),
            FOR_EVER.replace("True", "x"),
            FOR_EVER.replace("    while", "    x()\n    while"),
        )
    ]
    assert forms[0] == forms[1]
    assert len(set(forms)) == 4
