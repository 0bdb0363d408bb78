"""The lifeline: a pipe whose write end only the launcher holds; who holds on dies with it.

On Linux the kernel does it: it signals SIGKILL the moment the pipe closes, whatever this process
is doing (a C extension may hold the GIL for hours).  Elsewhere a thread waits for the end of the
pipe.  A process that leads its own group takes the whole group with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Final

VARIABLE: Final = "SCOOP_FT_LIFELINE"

_F_SETSIG: Final = 10  # fcntl.F_SETSIG, in the module since Python 3.11 only


def hold() -> bool:
    """Hold on to the lifeline that the environment names; tell whether there is one.

    To be called first thing.  The variable is removed, since the children of this process have
    no part in the pipe.
    """
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return False
    descriptor = int(text)
    os.set_inheritable(descriptor, False)
    if sys.platform == "linux":
        _hold_in_kernel(descriptor)
    else:
        _hold_in_thread(descriptor)
    return True


def tie(descriptor: int, pid: int, *, own_group: bool) -> None:
    """Tie a process that was just started to its lifeline, before it can hold on by itself.

    It may be stopped, or killed for good, while its interpreter starts.  On Linux only.
    """
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            _watch(descriptor, -pid if own_group else pid)


def _leads_group() -> bool:
    return os.getpgid(0) == os.getpid()


if sys.platform == "linux":
    import fcntl

    def _watch(descriptor: int, owner: int) -> None:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, owner)
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)

    def _hold_in_kernel(descriptor: int) -> None:
        _watch(descriptor, -os.getpid() if _leads_group() else os.getpid())
        try:
            os.read(descriptor, 1)
        except BlockingIOError:
            return  # open: from now on the kernel watches
        _die()  # closed before the kernel watched


def _hold_in_thread(descriptor: int) -> None:
    import threading

    def wait() -> None:
        os.read(descriptor, 1)
        _die()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def _die() -> None:
    if _leads_group():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
