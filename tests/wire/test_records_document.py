"""The journal's document lists each kind of record."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoop_ft.broker.records import Kind

PAGE = (Path(__file__).parents[2] / "docs" / "journal-format.md").read_text()


@pytest.mark.parametrize("kind", list(Kind))
def test_the_document_has_each_kind(kind: Kind) -> None:
    assert f"| {int(kind)} | {kind.name} | " in PAGE
