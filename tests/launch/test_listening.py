"""Where nobody can listen: one line that says what is wrong, and nothing made or changed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from scoop_ft.errors import RunError
from scoop_ft.launch import listening

from .conftest import Shell
from .test_cli_errors import make_run, refused


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port on which somebody listens."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        yield other.getsockname()[1]


IN_USE = r"the port is in use on this machine: name another with --listen \(\d+ is free\)"


def test_a_port_in_use(shell: Shell, taken: int) -> None:
    said = refused(shell, "run", "--listen", f"tcp://0.0.0.0:{taken}", shell.script(""))
    assert re.fullmatch(rf"--listen tcp://0\.0\.0\.0:{taken}: {IN_USE}", said)


@pytest.mark.parametrize("command", ["resume", "broker"])
def test_a_recorded_port_in_use(shell: Shell, taken: int, command: str) -> None:
    shell.script("")
    run = make_run(shell)
    info = run.info()
    info.listen = f"tcp://*:{taken}"
    run.save_info(info)
    said = refused(shell, command, "one")
    assert re.fullmatch(rf"--listen tcp://\*:{taken}, as recorded for this run: {IN_USE}", said)


def test_another_port_for_a_resume(shell: Shell, taken: int) -> None:
    shell.script("")
    run = make_run(shell)
    info = run.info()
    info.listen = f"tcp://127.0.0.1:{taken}"
    run.save_info(info)
    done = shell.type("resume", "one", "--listen", "tcp://127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    assert run.info().listen == "tcp://127.0.0.1:0"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://nobody-knows.invalid:5700", "there is no IPv4 address of the name nobody-knows"),
        ("tcp://[not an address]:5700", "there is no IPv6 address of the name [not an address]"),
        ("tcp://192.0.2.7:5700", "this is no address of this machine: name one that it has"),
        ("tcp://127.0.0.1:port", "a port is a number from 1 to 65535"),
        ("tcp://127.0.0.1:65536", "a port is a number from 1 to 65535"),
        ("tcp://127.0.0.1", "--listen wants tcp://HOST:PORT"),
    ],
)
def test_what_is_no_address_of_ours(shell: Shell, address: str, said: str) -> None:
    assert said in refused(shell, "run", "--listen", address, shell.script(""))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "*", "0.0.0.0", "127.1"])
def test_what_the_sockets_understand_is_let_through(host: str) -> None:
    listening.check(f"tcp://{host}:0")
    listening.check(f"tcp://{host}:*")


def test_a_port_that_is_given_back_is_waited_for(taken: int) -> None:
    with pytest.raises(RunError, match="in use"):
        listening.check(f"tcp://127.0.0.1:{taken}")
    listening.check("")


def test_a_broker_that_cannot_listen_says_so_without_a_traceback(shell: Shell, taken: int) -> None:
    done = shell.type("serve", "-n", "1", "--listen", f"tcp://127.0.0.1:{taken}", "lab")
    assert done.returncode == 2
    assert f"127.0.0.1:{taken}" in done.stderr.splitlines()[-1]
    assert "--listen" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (shell.folder / "lab").exists(), "nothing was made"
