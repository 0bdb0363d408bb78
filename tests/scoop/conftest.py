"""Runs scripts as SCOOP's users do: ``python -m scoop_ft --scoop script.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

LIMIT_S = 90.0

Done = subprocess.CompletedProcess[str]
Scooped = Callable[..., Done]


def call(
    folder: Path, *words: str, stdin: str = "", environ: Mapping[str, str] | None = None
) -> Done:
    """Type ``python -m scoop_ft words`` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "scoop_ft", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, **(environ or {})},
    )


@pytest.fixture
def scooped(tmp_path: Path, nothing_left: None) -> Scooped:
    """A call that runs a script's text with ``--scoop``, two workers and maybe more options."""

    def run_it(
        text: str,
        *args: str,
        options: tuple[str, ...] = (),
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        name: str = "script.py",
    ) -> Done:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        words = ["--scoop", "-q", "-n", "2", *options, name, *args]
        return call(tmp_path, *words, stdin=stdin, environ=environ)

    return run_it


def lines(done: Done) -> list[str]:
    """Return what was printed by a run that ended well."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
