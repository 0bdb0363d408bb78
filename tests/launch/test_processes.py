"""Real children: seen to stop, go on and die; ended with all they started."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scoop_ft.launch.processes import Change, Child, Children, Exited, Meter, Paused, Wakeup, lives

from ..waiting import eventually

LIMIT_S = 20.0


@pytest.fixture
def children() -> Iterator[Children]:
    owner = Children()
    yield owner
    owner.kill_all()


def start(children: Children, program: str, **more: object) -> Child:
    return children.start(
        "worker",
        [sys.executable, "-c", program],
        os.environ,
        cwd="/",
        **more,  # type: ignore[arg-type]
    )


def wait_for(
    children: Children, fits: Callable[[Change], bool], within_s: float = LIMIT_S
) -> Change:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for change in children.changes():
            if fits(change):
                return change
        time.sleep(0.002)
    raise AssertionError("it did not happen")


def first_line(child: Child) -> bytes:
    (descriptor,) = [d for d, name in child.pipes.items() if name == "stdout"]
    data = b""
    while not data.endswith(b"\n"):
        select.select([descriptor], [], [], LIMIT_S)
        data += os.read(descriptor, 1000)
    return data


@pytest.mark.parametrize(
    ("program", "code", "by"),
    [
        ("raise SystemExit(3)", 3, 0),
        ("pass", 0, 0),
        ("import os; os.kill(os.getpid(), 9)", 0, signal.SIGKILL),
        ("import os; os.abort()", 0, signal.SIGABRT),
    ],
)
def test_how_it_ended_is_known(children: Children, program: str, code: int, by: int) -> None:
    child = start(children, program)
    change = wait_for(children, lambda change: isinstance(change, Exited))
    assert change == Exited(child, code, by)
    assert not children.alive
    child.signal(signal.SIGTERM)  # nobody is there: no harm


def test_stop_and_continue_are_seen(children: Children) -> None:
    child = start(children, "import time; print(1, flush=True); time.sleep(1000)")
    first_line(child)
    child.signal(signal.SIGSTOP)
    wait_for(children, lambda change: change == Paused(child, True))
    assert child.stopped
    child.signal(signal.SIGCONT)
    wait_for(children, lambda change: change == Paused(child, False))
    child.signal(signal.SIGSTOP)
    wait_for(children, lambda change: change == Paused(child, True))
    child.signal(signal.SIGTERM)  # reaches a stopped one, too
    wait_for(children, lambda change: change == Exited(child, 0, signal.SIGTERM))


def test_what_a_dead_worker_started_dies_with_it(children: Children) -> None:
    child = start(
        children,
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print(p.pid, flush=True); time.sleep(1000)",
    )
    grandchild = psutil.Process(int(first_line(child)))
    os.kill(child.pid, signal.SIGKILL)
    wait_for(children, lambda change: isinstance(change, Exited))
    eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_the_last_words_of_the_dead_are_read(children: Children) -> None:
    child = start(
        children, "import sys; print('out'); print('err', file=sys.stderr); raise SystemExit(1)"
    )
    wait_for(children, lambda change: isinstance(change, Exited))
    assert sorted(children.drain(child)) == [("stderr", b"err\n"), ("stdout", b"out\n")]
    assert children.descriptors == []


def test_no_descriptor_is_left_behind(children: Children) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(5):
        child = start(children, "pass")
        wait_for(children, lambda change: isinstance(change, Exited))
        children.drain(child)
    assert count() == before


def test_a_command_that_is_not_there_leaves_nothing(children: Children) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        children.start("worker", ["/no/such/program"], os.environ, cwd="/")
    assert len(os.listdir("/proc/self/fd")) == before
    assert not children.alive


def test_a_death_wakes_the_loop(children: Children) -> None:
    wakeup = Wakeup()
    try:
        child = start(children, "import time; print(1, flush=True); time.sleep(1000)")
        first_line(child)
        wakeup.take()
        os.kill(child.pid, signal.SIGKILL)
        ready, _, _ = select.select([wakeup.descriptor], [], [], LIMIT_S)
        assert ready
        assert signal.SIGCHLD in wakeup.take()
        wait_for(children, lambda change: isinstance(change, Exited))
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        select.select([wakeup.descriptor], [], [], LIMIT_S)
        assert {signal.SIGTERM, signal.SIGINT} <= set(wakeup.take())
    finally:
        wakeup.close()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_meter(tmp_path: Path) -> None:
    meter = Meter()
    assert meter.rss_bytes(os.getpid()) > 1_000_000
    created = meter.created(os.getpid())
    assert lives(os.getpid(), created)
    assert not lives(os.getpid(), created - 100)
    assert meter.rss_bytes(2**22 + 1) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no clock that is not set")
def test_who_lives_is_the_same_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since the epoch, the machine has another start then."""
    created = Meter().created(os.getpid())
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 3600)
    assert lives(os.getpid(), created)
    assert not lives(os.getpid(), created - 100)
