"""The commands of the page on hosts run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SshServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hosts.md"
LIMIT_S = 120.0

STUDY = """
from scoop_ft import futures

def square(x):
    return x * x

if __name__ == "__main__":
    print(sum(futures.map(square, range(100))))
"""


def commands() -> list[str]:
    (block,) = re.findall(
        r"<!-- tested: tests/hosts/test_page.py -->\n```sh\n(.*?)```", PAGE.read_text(), re.S
    )
    return list(block.splitlines())


@pytest.fixture
def typing(tmp_path: Path, server: SshServer) -> dict[str, str]:
    """An environment whose ``ssh`` knows node1 and node2."""
    config = tmp_path / "config"
    names = "".join(f"Host node{k}\n  HostName 127.0.0.{k + 1}\n" for k in (1, 2))
    keys = (server.folder / "known_hosts").read_text()
    (tmp_path / "known").write_text(keys)
    config.write_text(names + (server.folder / "ssh_config").read_text())
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    real = subprocess.run(["which", "ssh"], capture_output=True, text=True, check=True)
    ssh.write_text(f'#!/bin/sh\nexec {real.stdout.strip()} -F {config} "$@"\n')
    ssh.chmod(0o755)
    (tmp_path / "study.py").write_text(STUDY)
    (tmp_path / "my_hosts").write_text(f"node1 1\nnode2 1  # {socket.gethostname()}\n")
    return {**os.environ, "PATH": f"{ssh.parent}:{os.environ['PATH']}"}


def test_the_commands_run(typing: dict[str, str], tmp_path: Path, nothing_left: None) -> None:
    lines = commands()
    assert len(lines) == 4
    for text in lines[:3]:
        program, *words = shlex.split(text)
        assert program == "scoop-ft"
        done = subprocess.run(
            [sys.executable, "-m", "scoop_ft", *words],
            cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, env=typing,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == "328350\n"
        assert "ssh" not in done.stderr


def test_the_help_has_each_option_of_the_page() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scoop_ft", "run", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for option in set(re.findall(r"`(?:-p`, `)?(--[a-z-]+)", PAGE.read_text())):
        assert option in done.stdout, option
