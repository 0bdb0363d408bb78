"""A worker that leaves while its main thread computes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

from scoop_ft.client.connection import Connection
from scoop_ft.client.link import Link
from scoop_ft.worker.__main__ import LEAVE_S, _Exit
from scoop_ft.worker.session import WorkerSession

PROGRAM = """
import sys, threading, time
from scoop_ft.client.connection import Connection
from scoop_ft.client.link import Link
from scoop_ft.wire.messages import SetConst
from scoop_ft.slate import Slate
from scoop_ft.worker.__main__ import _Exit

class Crew:
    leaving = True
    retiring = False

    def may_save(self):
        return False

from scoop_ft.worker.session import WorkerSession
session = WorkerSession(b"12345678", "host", b"")
session.keep(SetConst(session.number(), "nobody acknowledges it", []), [b""])
link = Link(session, Connection(lambda: "ipc://" + sys.argv[1], lambda: None), session.flush)
exit_ = _Exit(session, link, Crew(), Slate.create(sys.argv[1] + ".slate"))
link.after_pump = exit_.look
link.start()
print("leaving", flush=True)
time.sleep(60)
"""


def test_it_has_left_when_its_time_is_over(tmp_path: object) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, f"{tmp_path}/nobody"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - began < 2 * LEAVE_S


def test_a_signal_is_taken_in_whatever_lock_the_main_thread_holds() -> None:
    session = WorkerSession(b"12345678", "host", b"")
    link = Link(session, Connection(lambda: "ipc:///nobody", lambda: None), session.flush)
    crew = SimpleNamespace(leaving=False)
    exit_ = _Exit(session, link, crew, None)  # type: ignore[arg-type]

    def in_the_midst() -> None:
        with link._busy._cond, link.state, link._arrived, link._pump_lock:  # type: ignore[attr-defined]
            exit_.on_sigterm(15, None)

    thread = threading.Thread(target=in_the_midst, daemon=True)
    thread.start()
    thread.join(5)
    assert crew.leaving
    assert not thread.is_alive()
