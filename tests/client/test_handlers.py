"""Signal handlers of the user's that were put off: sent again, and to whom."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")

BEGIN = """\
import os, signal, sys, threading, time
from scoop_ft.client import handlers

heard = []

def hear(number, frame):
    heard.append(number)

@handlers.whole
def at_a_bad_moment(act):
    signal.raise_signal(signal.SIGUSR1)
    assert heard == []
    act()

def ours(number, frame):
    print("ours", flush=True)

def exits(number, frame):
    sys.exit(3)

handlers.AGAIN_S = 0.05
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.mark.parametrize("act", ["time.sleep(0.01)", "time.sleep(0.2)"])
def test_it_comes_again(act: str) -> None:
    run(
        "handlers.Handlers().install()\nsignal.signal(signal.SIGUSR1, hear)\n"
        f"at_a_bad_moment(lambda: {act})\ntime.sleep(0.2)\n"
        "assert heard == [signal.SIGUSR1], heard\nprint('ok')"
    )


def test_one_whose_handler_was_taken_away_ends_nobody() -> None:
    run(
        "handlers.Handlers().install()\nformer = signal.signal(signal.SIGUSR1, hear)\n"
        "at_a_bad_moment(lambda: signal.signal(signal.SIGUSR1, former))\n"
        "time.sleep(0.2)\nprint('ok')"
    )


def test_who_may_set_none_does_not_become_the_one_they_are_sent_to() -> None:
    run(
        "handlers.Handlers().install()\n"
        "def try_it():\n"
        "    try:\n"
        "        signal.signal(signal.SIGUSR1, hear)\n"
        "    except ValueError:\n"
        "        return  # as Python says in a thread\n"
        "thread = threading.Thread(target=try_it)\nthread.start()\nthread.join()\n"
        "signal.signal(signal.SIGUSR1, hear)\n"
        "at_a_bad_moment(lambda: None)\ntime.sleep(0.2)\n"
        "assert heard == [signal.SIGUSR1], heard\nprint('ok')"
    )


def test_in_a_child_they_are_called_at_once() -> None:
    run(
        "first = handlers.First(lambda: True, ours)\n"
        "handlers.Handlers(first={signal.SIGUSR1: first}).install()\n"
        "signal.signal(signal.SIGUSR1, hear)\n"
        "@handlers.whole\n"
        "def child():\n"
        "    signal.raise_signal(signal.SIGUSR1)\n"
        "    os._exit(len(heard))\n"
        "if os.fork() == 0:\n    child()\n"
        "assert os.waitstatus_to_exitcode(os.wait()[1]) == 1\nprint('ok')"
    )


@pytest.mark.parametrize(
    ("due", "users", "heard"),
    [
        (True, "hear", "[0, signal.SIGUSR1]"),
        (False, "hear", "[signal.SIGUSR1]"),
        (False, "exits", "[0]"),
    ],
)
def test_ours_is_called_where_the_signal_is_for_us_or_the_users_exits(
    due: bool, users: str, heard: str
) -> None:
    """A script's handler of SIGTERM exits: so the worker does, in its own way."""
    run(
        "ours = lambda number, frame: heard.append(0)\n"
        f"first = handlers.First(lambda: {due}, ours)\n"
        "handlers.Handlers(first={signal.SIGUSR1: first}).install()\n"
        f"signal.signal(signal.SIGUSR1, {users})\nsignal.raise_signal(signal.SIGUSR1)\n"
        f"assert heard == {heard}, heard\nprint('ok')"
    )
