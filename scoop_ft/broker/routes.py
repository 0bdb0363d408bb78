"""Which connection a session is on: that of its last `Hello`.

A connection is anything hashable; no socket is touched here.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Generic, TypeVar

Route = TypeVar("Route")


class Routes(Generic[Route]):
    """Sessions and their connections, one to one."""

    def __init__(self) -> None:
        self._sessions: dict[Route, bytes] = {}
        self._routes: dict[bytes, Route] = {}
        self._numbers: dict[bytes, int] = {}

    def meet(self, route: Route, session: bytes, number: int) -> bool:
        """A session has said hello on its ``number``-th connection (0: it has only one).

        False when that is an older one than the one it is on: what is left of it comes late.
        """
        if number:
            if number < self._numbers.get(session, 0):
                return False
            self._numbers[session] = number
        old = self._routes.get(session)
        if old is not None:
            self._sessions.pop(old, None)
        self._routes[session] = route
        self._sessions[route] = session
        return True

    def anew(self, route: Route) -> bool:
        """A connection has begun; True when one of that name had said hello before.

        ØMQ makes a broken connection anew under the same name, and what was under way is lost:
        whoever speaks on it must begin with another hello.
        """
        session = self._sessions.pop(route, None)
        if session is None:
            return False
        del self._routes[session]
        return True

    def session(self, route: Route) -> bytes | None:
        """Return who speaks on a connection."""
        return self._sessions.get(route)

    def route(self, session: bytes) -> Route | None:
        """Return where a session is reached."""
        return self._routes.get(session)

    def lose(self, session: bytes) -> None:
        """A session is reached nowhere any more."""
        self._sessions.pop(self._routes.pop(session), None)

    def known(self) -> set[bytes]:
        """Return the sessions of which something is kept."""
        return {*self._routes, *self._numbers}

    def forget_all_but(self, sessions: Container[bytes]) -> None:
        """Forget those that the broker knows no more.

        Nothing is said to who has ended, so nobody finds out that it is reached no more.  One that
        is there after all begins with another hello, as on a new connection.
        """
        for session in self.known():
            if session not in sessions:
                self._numbers.pop(session, None)
                if session in self._routes:
                    self.lose(session)
