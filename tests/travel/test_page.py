"""The example of docs/code-travels.md runs, with its files and without."""

from __future__ import annotations

import re
from pathlib import Path

from scoop_chaos.runs import RunProcess

PAGE = Path(__file__).parents[2] / "docs" / "code-travels.md"


def test_the_example(run_process: RunProcess) -> None:
    folder = run_process.folder
    found = re.findall(
        r"<!-- runnable: (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    assert len(found) == 1
    for name, text in found:
        (folder / name).write_text(text)
        (folder / "travels_model.py").write_text("rate = 2\n")
        run_process.start("-q", "-n", "2", name)
        assert run_process.finish() == "9900\n"
