"""Runs small scripts the way the root and the workers do, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The script's text is run by the root. A worker is given what the root wrote and runs `work`,
# the code of the test, with the payloads in `blobs`.
_ROOT = """
import sys
from scoop_ft import script
script.run_root({path!r}, {args!r})
"""
_WORKER = """
import pickle, sys
from scoop_ft import errors, functions, payload, script
script.prepare_worker({path!r}, {args!r})
with open({blobs!r}, "rb") as file:
    blobs = pickle.load(file)
{code}
"""


class Scripts:
    """A folder with one script, run as root and as worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "program.py"
        self.blobs = folder / "blobs"

    def write(self, text: str, name: str = "program.py") -> None:
        (self.folder / name).write_text(text)

    def root(self, *args: str) -> str:
        """Run the script as the root; return what it printed."""
        return self._run(_ROOT.format(path=str(self.path), args=list(args)))

    def worker(self, code: str) -> str:
        """Run code where the script is not loaded yet; return what it printed."""
        return self._run(
            _WORKER.format(path=str(self.path), args=[], blobs=str(self.blobs), code=code)
        )

    def _run(self, code: str) -> str:
        environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONHASHSEED="7")
        environment["BLOBS"] = str(self.blobs)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)
