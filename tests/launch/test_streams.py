"""Standard streams that are closed, or are the script's own: a run ends as its script does."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from .conftest import Shell

SCRIPT = """\
import sys
from scoop_ft import futures

if __name__ == "__main__":
    print("?draeh"[::-1], flush=True)
    print("?draeh"[::-1], file=sys.stderr, flush=True)
    open("sum", "w").write(str(sum(futures.map(abs, range(5)))))
    sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("code", [0, 3])
def test_a_run_ends_as_its_script_does(shell: Shell, closed: tuple[int, ...], code: int) -> None:
    closing = " ".join(f"{descriptor}>&-" for descriptor in closed)
    words = shell.command("run", "-n", "1", shell.script(SCRIPT), str(code))
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closing}', "sh", *words],
        cwd=shell.folder, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == code, done
    assert shell.read("sum") == "10"
    found: dict[str, Any] = json.loads(shell.type("status", "--json").stdout)
    assert (found["tasks"]["done"], found["exit_code"]) == (5, code), found
    for file in (shell.folder / ".scoop-ft").rglob("*"):
        assert not file.is_file() or b"heard?" not in file.read_bytes(), file


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("own", ["None", "Tee()"])
def test_a_script_may_have_streams_of_its_own(shell: Shell, stream: str, own: str) -> None:
    script = shell.script(
        "import sys\nclass Tee:\n    def write(self, text): ...\n"
        f"if __name__ == '__main__':\n    sys.{stream} = {own}\n    print('to nobody')\n"
    )
    done = shell.type("run", "-q", "-n", "1", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert shell.type("runs").stdout.split("\n")[1].split()[1] == "done"


def test_a_task_may_put_a_stream_of_its_own_there(shell: Shell) -> None:
    """Its worker ends as any other: neither a traceback of ours, nor one that 'exited (1)'."""
    script = shell.script(
        "import os, sys\nfrom scoop_ft import futures\n"
        "def mute(n):\n    sys.stdout = None\n    if os.fork() == 0:\n        sys.exit(4)\n"
        "    return os.waitstatus_to_exitcode(os.wait()[1])\n"
        "if __name__ == '__main__':\n    print(list(futures.map(mute, range(4))))\n"
    )
    done = shell.type("run", "-q", "-n", "1", "--max-tasks-per-worker", "2", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[4, 4, 4, 4]\n", "")


def test_what_is_exported_to_nobody(shell: Shell) -> None:
    assert shell.type("run", "-q", "-n", "1", shell.script(SCRIPT), "3").returncode == 3
    words = shell.command("journal", "export")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *words],
        cwd=shell.folder, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
