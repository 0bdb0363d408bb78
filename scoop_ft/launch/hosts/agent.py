"""``python -m scoop_ft.launch.hosts.agent``: the agent that a launcher has started through ssh.

It says hello, gets its orders on standard input, and works for the run as ``scoop-ft worker`` does.
The end of its input is the end of the launcher or of the connection: then all of it ends at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from typing import Final

import msgspec

from ...errors import RunError
from ...rundir import RunDir
from ..homes import temporary_home
from ..processes import usable_cores
from ..recycling import Limits
from . import orders

STDIN: Final = 0
STDERR: Final = 2
LONGEST_ORDERS: Final = 1 << 16


def main() -> int:
    """Work as ordered; return the exit code."""
    _say(orders.Word(hello=os.getpid()))
    text = _read_line()
    if not text:
        return 1
    given = msgspec.json.decode(text, type=orders.Orders)
    try:
        with temporary_home() as home:
            threading.Thread(target=_watch, args=(home,), name="stdin", daemon=True).start()
            return _serve(home, given)
    except RunError as error:
        print(f"scoop-ft: error: {error}", file=sys.stderr, flush=True)
        return error.exit_code


def _say(word: orders.Word) -> None:
    os.write(STDERR, orders.line(word))


def _read_line() -> bytes:
    """Read the orders; nothing of what follows them."""
    text = b""
    while not text.endswith(b"\n") and len(text) < LONGEST_ORDERS:
        more = os.read(STDIN, 1)
        if not more:
            return b""
        text += more
    return text


def _watch(home: RunDir) -> None:
    """Pass on what the launcher says later, and end when it is gone.

    Workers are on lifelines that end with this process, whatever it is doing.
    """
    while more := os.read(STDIN, 4096):
        if more == orders.LEAVE:
            os.kill(os.getpid(), signal.SIGTERM)
    shutil.rmtree(home.path, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _serve(home: RunDir, given: orders.Orders) -> int:
    from .. import standalone

    _go_to_folder(given)
    _replace(given.replaces)
    workers = given.workers or usable_cores()
    address = _address(given)
    return standalone.serve_for_launcher(
        home, address, given.keys, workers, up=lambda: _say(orders.Word(up=workers)),
        limits=Limits(given.max_tasks, given.max_memory), resources=given.resources,
    )  # fmt: skip


def _replace(pid: int) -> None:
    """End the agent that was here before, if its end of a cut connection has not told it to."""
    import psutil

    if not pid or pid == os.getpid():
        return
    try:
        process = psutil.Process(pid)
        if __spec__.name in process.cmdline() and process.uids().real == os.getuid():
            process.terminate()
    except psutil.Error:
        return  # it has ended, or is somebody else's


def _go_to_folder(given: orders.Orders) -> None:
    folder = os.path.expanduser(given.path or "~")
    if not given.path and os.path.isdir(given.cwd):
        folder = given.cwd
    try:
        os.chdir(folder)
    except OSError as error:
        raise RunError(
            f"cannot work in {folder}: {error.strerror}: name another folder with --path"
        ) from error


def _address(given: orders.Orders) -> str:
    """Return where the broker is: unless told, where ssh comes from."""
    host, _, port = given.address.removeprefix("tcp://").rpartition(":")
    if not host:
        came_from = os.environ.get("SSH_CONNECTION", "").split()
        host = came_from[0] if came_from and ":" not in came_from[0] else given.launcher
    return f"tcp://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
