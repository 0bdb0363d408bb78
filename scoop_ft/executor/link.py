"""A link that one thread serves, in a program that is not ours.

In a notebook or a plain script Ctrl-C may be raised in the main thread at any moment; were it just
taking in a message, a result would be lost.  So only the serving thread touches the socket, and
all others wait for its news.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..client.link import Link
from ..client.runtime import WINDOW_BYTES, RootRuntime


class ServedLink(Link):
    """A `Link` without a helper: `server` is the thread that calls `wait` all the time."""

    server: int = 0  # the serving thread

    def start(self) -> None:
        """Connect; the serving thread does the rest."""
        with self._pump_lock:
            self._reconnect()

    def wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something is so; False when the time is over."""
        if threading.get_ident() == self.server:
            return super().wait(ready, timeout_s)
        with self._arrived:
            self._waiting += 1  # from here on the end of a pump is told, so none is missed
        try:
            self.wake()  # once: each pump ends with news, and would be followed by another one
            return super().wait(ready, timeout_s)
        finally:
            with self._arrived:
                self._waiting -= 1

    def _wait_for_news(self, ready: Callable[[], bool], seconds: float) -> None:
        if threading.get_ident() == self.server:
            super()._wait_for_news(ready, seconds)
            return
        with self._arrived:
            if not ready() and not self.session.ended:
                self._arrived.wait(seconds)

    def pump(self, seconds: float = 0.0) -> None:
        """Have the socket looked at."""
        if threading.get_ident() == self.server:
            super().pump(seconds)
        else:
            self.wake()


class ServedRuntime(RootRuntime):
    """The runtime of a root whose link is served."""

    def throttle(self) -> None:
        """Wait while too much has not been synced by the broker."""
        session = self.session
        if session.unacknowledged_bytes > WINDOW_BYTES:
            self.wait(lambda: session.unacknowledged_bytes < WINDOW_BYTES // 2, (), None)
