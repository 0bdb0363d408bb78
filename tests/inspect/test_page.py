"""The page about the journal's tools shows what they print."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .conftest import type_in

PAGE = Path(__file__).parents[2] / "docs" / "journal-tools.md"


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    text = PAGE.read_text()
    (script,) = re.findall(r"<!-- runnable: toolshop.py -->\n```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "toolshop.py").write_text(script)
    (command,) = re.findall(r"After `scoop-ft (run .*?)`", text)
    done = type_in(tmp_path, *command.split())
    assert done.returncode == 0, done.stderr
    (session,) = re.findall(r"```\n(\$ .*?)```", text, re.DOTALL)
    shown = re.split(r"^\$ scoop-ft (.*)\n", session, flags=re.MULTILINE)[1:]
    for typed, printed in zip(shown[::2], shown[1::2], strict=True):
        assert type_in(tmp_path, *typed.split()).stdout == printed
    told = json.loads(type_in(tmp_path, "explain", "tools", "2", "--json").stdout)
    assert re.fullmatch(r"[0-9a-f]{12}:\d+", told["id"]), "as errors have it"
    by_id = type_in(tmp_path, "journal", "show", "tools", told["id"])
    assert by_id.stdout == type_in(tmp_path, "journal", "show", "tools", "2").stdout, by_id.stderr
