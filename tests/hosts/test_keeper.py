"""When the agent of a machine is started again, and what is said."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from scoop_ft.launch.hosts import line, orders, telling
from scoop_ft.launch.hosts.keeper import LONGEST_DELAY_S, Keeper
from scoop_ft.machines import Machines


def test_the_delays_grow() -> None:
    keeper = Keeper()
    assert keeper.wait_s(0.0) == 0.0
    waits = []
    for _ in range(12):
        keeper.started()
        assert keeper.wait_s(0.0) == float("inf")
        keeper.ended("no", 0.0)
        waits.append(keeper.wait_s(0.0))
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits[-1] == LONGEST_DELAY_S


def test_the_same_trouble_is_said_once() -> None:
    keeper = Keeper()
    said = []
    for trouble in ("a", "a", "b", "b", "a"):
        keeper.started()
        said.append(keeper.ended(trouble, 0.0))
    assert said == [True, False, True, False, True]
    keeper.started()
    assert keeper.welcomed(0.0)
    assert keeper.ended("a", 0.0)  # after a time in which all was well it is news


def test_who_was_up_for_long_is_tried_soon() -> None:
    keeper = Keeper()
    for _ in range(6):
        keeper.started()
        keeper.ended("no", 0.0)
    keeper.started()
    keeper.welcomed(0.0)
    keeper.ended("lost", 5.0)
    assert keeper.wait_s(5.0) > 30
    keeper.started()
    keeper.welcomed(100.0)
    keeper.ended("lost", 200.0)
    assert keeper.wait_s(200.0) == 1.0


def test_who_was_up_in_vain_was_never_up() -> None:
    keeper = Keeper()
    keeper.started()
    keeper.welcomed(0.0)
    keeper.ended("no", 1.0, in_vain=True)
    assert not keeper.ever_up
    for in_vain in (False, True):
        keeper.started()
        keeper.welcomed(10.0)
        keeper.ended("no", 11.0, in_vain=in_vain)
        assert keeper.ever_up


def test_the_first_welcome_is_no_return() -> None:
    keeper = Keeper()
    keeper.started()
    assert not keeper.welcomed(0.0)


# ---- the line -----------------------------------------------------------------------------------


def typed(machines: Machines, folder: Path) -> list[str]:
    """Have the command there run by a shell; return what the Python there would have got."""
    python = folder / "a python"
    python.write_text('#!/bin/sh\necho "$PWD"\necho "$PYTHONPATH"\nfor x; do echo "$x"; done\n')
    python.chmod(0o755)
    told = line.there_command(msgspec.structs.replace(machines, python=str(python)))
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        ["sh", "-c", told], capture_output=True, text=True, env=environ, check=True
    )
    return done.stdout.splitlines()


def test_a_shell_there_understands_it(tmp_path: Path) -> None:
    plain = Machines(named=[])
    assert typed(plain, tmp_path) == ["/", "", "-m", line.AGENT]
    ugly = "/a b/it's $HOME"
    (tmp_path / "pro log").write_text("PYTHONPATH=/own; export PYTHONPATH; echo told\n")
    more = Machines(named=[], nice=1, pythonpath=ugly, prolog="~/pro log")
    assert typed(more, tmp_path) == ["/", f"{ugly}:/own", "-m", line.AGENT]
    command = Machines(named=[], prolog="export PYTHONPATH=/by/command && echo told")
    assert typed(command, tmp_path) == ["/", "/by/command", "-m", line.AGENT]


@pytest.mark.parametrize(
    ("listen", "external", "address"),
    [
        ("tcp://0.0.0.0:5700", "", "tcp://:5700"),
        ("tcp://*:5700", "", "tcp://:5700"),
        ("tcp://10.0.0.1:5700", "", "tcp://10.0.0.1:5700"),
        ("tcp://10.0.0.1:5700", "lab.example", "tcp://lab.example:5700"),
        ("tcp://[::]:5700", "", "tcp://:5700"),
        ("tcp://[fd00::1]:5700", "", "tcp://[fd00::1]:5700"),
        ("tcp://[::]:5700", "fd00::1", "tcp://[fd00::1]:5700"),
    ],
)
def test_the_address(listen: str, external: str, address: str) -> None:
    machines = Machines(named=[], external_hostname=external)
    assert line.build(machines, "n", listen).address == address


def test_nothing_secret_and_no_forwarding_is_on_the_line() -> None:
    built = line.build(Machines(named=[], ssh="ssh -F 'my config'"), "ann@n7", "tcp://0.0.0.0:5700")
    assert built.command[:3] == ["ssh", "-F", "my config"]
    assert built.command[-2] == "ann@n7"
    assert shlex.split(built.command[-1])[:2] == ["exec", "sh"]
    assert "-R" not in built.command
    assert line.python(Machines(named=[])) == sys.executable


def test_a_tunnel_is_for_those_there_only() -> None:
    built = line.build(Machines(named=[], tunnel=True), "n7", "tcp://127.0.0.1:5700")
    there = built.address.rpartition(":")[2]
    forwarded = built.command[built.command.index("-R") + 1]
    assert forwarded == f"127.0.0.1:{there}:127.0.0.1:5700"


def test_words_between_other_lines() -> None:
    assert orders.read(orders.line(orders.Word(up=3)).rstrip()) == orders.Word(up=3)
    assert orders.read(b"scoop-ft: something else") is None
    assert orders.read(orders.MARK + b"{]") is None


# ---- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        (
            ["Warning: …", "ann@n7: Permission denied (publickey,password)."],
            "ssh ann@n7: Permission denied (publickey,password): put your public key there, with "
            "'ssh-copy-id ann@n7'",
        ),
        (
            ["No ED25519 host key is known for n7 …", "Host key verification failed."],
            "ssh ann@n7: Host key verification failed: accept its key once, by 'ssh ann@n7'",
        ),
        (
            ["ssh: connect to host n7 port 22: Connection timed out"],
            "ssh ann@n7: connect to host n7 port 22: Connection timed out: see whether it is "
            "switched on, and its name right",
        ),
        ([], "ssh ann@n7: the connection ended"),
    ],
)
def test_why_ssh_failed(stderr: list[str], told: str) -> None:
    assert telling.before_hello("ann@n7", "python3", 255, 0, stderr) == told
