"""What the broker sees of the world: a journal it appends to, sends it asks for, and sockets."""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from ..wire.frames import Buffer
from ..wire.messages import Message


class Ref(NamedTuple):
    """Bytes of a journal record, to be read when they are sent: payload, or its n-th buffer."""

    seq: int
    start: int = 0
    stop: int | None = None
    buffer: int | None = None


class Send(NamedTuple):
    """Send a message and the frames behind it to a session."""

    session: bytes
    message: Message
    frames: Sequence[Buffer | Ref] = ()


class JournalPort(Protocol):
    """The part of a journal that the core uses; nothing here syncs or blocks."""

    def append(
        self, kind: int, header: bytes, payload: Any = b"", buffers: Sequence[Any] = ()
    ) -> int:
        """Stage a record; return its number."""

    def has_room(self, wanted: int) -> bool:
        """May so much more be written, so that what was begun can still be ended?"""

    def delete(self, seq: int, count: int = 1) -> None:
        """Stage the removal of records."""

    def put_blob(self, name: bytes, data: Any) -> None:
        """Stage a named value."""

    def has_blob(self, name: bytes) -> bool:
        """Is there a named value, staged or committed?"""

    def blob(self, name: bytes) -> bytes | None:
        """Read a named value."""

    def delete_blob(self, name: bytes) -> None:
        """Stage the removal of a named value."""

    def reading(self) -> AbstractContextManager[Any]:
        """Open a view with ``record(seq)``, ``header(seq)`` and ``buffer(seq, number)``.

        It is valid inside the ``with``.
        """


class SocketsPort(Protocol):
    """The sockets as the `Server` uses them; nothing here blocks."""

    bad_messages: int

    def receive(self) -> tuple[bytes, Any, bytes, list[Buffer]] | None:
        """Return the next message: session, message, header, frames; None when there is none.

        Raises
        ------
        ProtocolError
            A session has sent something malformed.
        """

    def send(self, session: bytes, message: Message, frames: Sequence[Buffer]) -> bool:
        """Send to a session; False when it cannot be reached."""

    def forget_all_but(self, sessions: Container[bytes]) -> None:
        """Forget the connections of sessions that the broker knows no more."""
