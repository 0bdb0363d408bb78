"""A folder to type commands in."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT_S = 60.0


class Shell:
    """Runs ``python -m scoop_ft …`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "scoop_ft", *words]

    def type(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    def start(self, *words: str, called: str = "") -> subprocess.Popen[bytes]:
        """Start a command; its output goes into the files ``out`` and ``err``.

        ``called``: what their names begin with, where several live side by side.
        """
        out_path, err_path = self.folder / f"{called}out", self.folder / f"{called}err"
        with open(out_path, "wb") as out, open(err_path, "wb") as err:
            process = subprocess.Popen(
                self.command(*words),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=os.environ,
            )
        self._started.append(process)
        return process

    def script(self, text: str, name: str = "script.py") -> str:
        (self.folder / name).write_text(text)
        return name

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def tree(self) -> dict[str, bytes | None]:
        """Return everything in the folder, to compare."""
        paths = [path for path in self.folder.rglob("*") if path.name != "launcher.lock"]
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in paths
        }

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def shell() -> Iterator[Shell]:
    # Not tmp_path: its paths are too long for a socket, which then lies elsewhere.
    with tempfile.TemporaryDirectory(prefix="ft-", ignore_cleanup_errors=True) as folder:
        one = Shell(Path(os.path.realpath(folder)))
        yield one
        one.end()
